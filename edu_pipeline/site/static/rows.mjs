// The page of a table's rows: what is shown, filtered and sorted is after the # of the address, so that it can be shared.

const PAGE = 50
const FIRST_COLUMNS = 8
const OPENED_AT_ONCE = 5_000_000 // bytes
const MOST_CSV = 1_000_000 // rows
const HOWS = {
  text: ['contains', 'is', 'null', 'known'],
  list: ['contains', 'null', 'known'],
  shape: ['null', 'known'],
  flag: ['is', 'null', 'known'],
  number: ['is', 'least', 'most', 'null', 'known'],
  date: ['is', 'least', 'most', 'null', 'known']
}
const browser = document.querySelector('#browser')
const told = JSON.parse(document.querySelector('#browser-data').textContent)
const { columns, texts } = told
const kinds = Object.fromEntries(columns.map(column => [column.name, column.kind]))
const at = name => browser.querySelector(`[data-part="${name}"]`)
const figures = new Intl.NumberFormat(document.documentElement.lang)
let worker, found, state

browser.hidden = false
if (told.bytes <= OPENED_AT_ONCE || location.hash) start()
else at('open').addEventListener('click', start)

async function start () {
  at('opening').hidden = true
  at('panel').hidden = false
  const waiting = new Map()
  worker = new Worker(new URL('./rows-worker.mjs', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data: { number, answer, error } }) => {
    const { resolve, reject } = waiting.get(number)
    waiting.delete(number)
    error === undefined ? resolve(answer) : reject(new Error(error))
  }
  worker.onerror = event => say(`${texts.failed} ${event.message}`)
  let last = 0
  worker.ask = (name, request) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject })
    worker.postMessage({ number: last, name, ...request })
  })
  say(texts.reading)
  listen()
  await worker.ask('open', { url: new URL(told.file, location.href).href, bytes: told.bytes }).then(show, failed)
}

function listen () {
  addEventListener('hashchange', show)
  at('filter').addEventListener('submit', event => {
    event.preventDefault()
    const { column, how, value } = event.target.elements
    go({ filters: [...state.filters, { column: column.value, how: how.value, value: value.value }], start: 0 })
    value.value = ''
  })
  at('column').append(...columns.map(({ name }) => new Option(name, name)))
  at('column').addEventListener('change', offerHows)
  at('how').addEventListener('change', () => { at('value').disabled = ['null', 'known'].includes(at('how').value) })
  offerHows()
  at('columns').addEventListener('change', () => {
    const names = [...at('columns').querySelectorAll('input:checked')].map(box => box.value)
    if (names.length) go({ names })
  })
  at('columns').append(...columns.map(({ name }) => {
    const label = document.createElement('label')
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', value: name })
    label.append(box, ` ${name}`)
    return label
  }))
  at('previous').addEventListener('click', () => go({ start: Math.max(state.start - PAGE, 0) }))
  at('next').addEventListener('click', () => go({ start: state.start + PAGE }))
  at('download').addEventListener('click', download)
}

function offerHows () {
  at('how').replaceChildren(...HOWS[kinds[at('column').value]].map(how => new Option(texts[how], how)))
  at('value').disabled = ['null', 'known'].includes(at('how').value)
}

// What the address says: filter=<column>~<how>~<value> (any number), sort=<column> or -<column>, columns=a,b, start=50.
function parsed () {
  const said = new URLSearchParams(location.hash.slice(1))
  const filters = said.getAll('filter').map(text => {
    const [column, how, ...value] = text.split('~')
    return { column, how, value: value.join('~') }
  }).filter(({ column, how }) => HOWS[kinds[column]]?.includes(how))
  const by = said.get('sort') ?? ''
  const name = by.replace(/^-/, '')
  const names = (said.get('columns') ?? '').split(',').filter(one => kinds[one])
  const usual = columns.filter(({ kind }) => kind !== 'shape').slice(0, FIRST_COLUMNS).map(column => column.name)
  return {
    filters,
    sort: kinds[name] ? { column: name, down: by.startsWith('-') } : null,
    names: names.length ? names : usual,
    chosen: names.length > 0,
    start: Math.max(Number.parseInt(said.get('start') ?? '0') || 0, 0)
  }
}

function go (change) {
  const next = { ...state, ...change }
  const said = new URLSearchParams()
  for (const { column, how, value } of next.filters) said.append('filter', `${column}~${how}~${value}`)
  if (next.sort) said.set('sort', (next.sort.down ? '-' : '') + next.sort.column)
  if (change.names || next.chosen) said.set('columns', next.names.join(','))
  if (next.start) said.set('start', next.start)
  location.hash = said.toString()
}

async function show () {
  const before = state
  state = parsed()
  say(texts.reading)
  const { filters, sort } = state
  try {
    if (JSON.stringify([before?.filters, before?.sort]) !== JSON.stringify([filters, sort])) {
      const typed = filters.map(filter => ({ ...filter, kind: kinds[filter.column] }))
      const answer = await worker.ask('choose', { filters: typed, sort: sort && { ...sort, kind: kinds[sort.column] } })
      found = answer.found
    }
    const { rows } = await worker.ask('page', { names: state.names, start: state.start, end: state.start + PAGE })
    draw(rows)
  } catch (error) {
    state = before ?? state
    failed(error)
  }
}

function draw (rows) {
  const last = Math.min(state.start + PAGE, found)
  say(found
    ? fill(texts.shown, { first: figures.format(state.start + 1), last: figures.format(last), found: figures.format(found), total: figures.format(told.rows) })
    : texts.none)
  at('previous').disabled = state.start === 0
  at('next').disabled = last >= found
  at('download').disabled = found > MOST_CSV || !found
  at('download').textContent = found > MOST_CSV ? texts.too_many : fill(texts.download, { found: figures.format(found) })
  for (const box of at('columns').querySelectorAll('input')) box.checked = state.names.includes(box.value)
  at('filters').replaceChildren(...state.filters.map(chip))
  at('head').replaceChildren(...state.names.map(heading))
  at('body').replaceChildren(...rows.map(values => {
    const row = document.createElement('tr')
    row.append(...values.map((value, number) => {
      const cell = document.createElement('td')
      if (value === null) cell.className = 'null'
      else cell.textContent = value.length > 200 ? `${value.slice(0, 199)}…` : value
      if (kinds[state.names[number]] === 'number') cell.classList.add('number')
      return cell
    }))
    return row
  }))
}

function heading (name) {
  const sorted = state.sort?.column === name
  const button = Object.assign(document.createElement('button'), { className: 'plain sort', textContent: name })
  button.title = columns.find(column => column.name === name).description
  button.addEventListener('click', () => go({ sort: sorted && state.sort.down ? null : { column: name, down: sorted }, start: 0 }))
  const cell = document.createElement('th')
  cell.scope = 'col'
  cell.append(button)
  if (sorted) cell.ariaSort = state.sort.down ? 'descending' : 'ascending'
  return cell
}

function chip (filter, number) {
  const button = Object.assign(document.createElement('button'), {
    className: 'plain',
    type: 'button',
    textContent: `${filter.column} ${texts[filter.how]} ${filter.value} ✕`
  })
  button.setAttribute('aria-label', `${texts.remove} ${filter.column} ${texts[filter.how]} ${filter.value}`)
  button.addEventListener('click', () => go({ filters: state.filters.filter((_, other) => other !== number), start: 0 }))
  const item = document.createElement('li')
  item.append(button)
  return item
}

async function download () {
  const before = at('status').textContent
  say(texts.writing)
  try {
    const { blob } = await worker.ask('csv', { names: state.names })
    const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: `${told.name}.csv` })
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    say(before)
  } catch (error) { failed(error) }
}

function say (text) {
  at('status').textContent = text
}

function failed (error) {
  say(`${texts.failed} ${error.message}`)
}

function fill (text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name])
}
