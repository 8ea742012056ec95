// What stands beside the map, as text: the explanation and legend of a figure, its extremes, cards.

import { element, language, number, text } from './dom.mjs'
import { CLASSES } from './atlas-map.mjs'

const COUNT = 10
const places = new Intl.Collator(language)

function dictionary (known, label) {
  return element('a', { href: `table/${known.table}.html#${known.column}` }, label)
}

function withUnit (value, unit) {
  return unit && value !== null ? `${number(value)} ${unit}` : number(value)
}

/** The class of a value: how many inner edges it reaches. */
export function classOf (edges, value) {
  return edges.slice(1, -1).filter(edge => value >= edge).length
}

/** The sources of a table or view, one line each. */
export function sourceLines (sources) {
  return sources.map(source => {
    const edition = source.edition ? text('edition', { edition: source.edition }) : null
    const release = text('release', { day: new Date(`${source.day}T00:00:00`).toLocaleDateString(language, { dateStyle: 'long' }) })
    return [source.title, edition, release, source.licence].filter(Boolean).join(', ')
  })
}

function sourceList (sources, table) {
  const lines = sourceLines(sources)
  if (!lines.length) return element('p', { class: 'small soft' }, text('made-here', { table }))
  if (lines.length > 3) {
    return element('details', { class: 'small soft' }, element('summary', {}, text('sources', { count: lines.length })), list(lines))
  }
  return element('div', { class: 'small soft' }, lines.length === 1 ? `${text('source')} ${lines[0]}` : list(lines))
}

function list (lines) {
  return element('ul', {}, ...lines.map(line => element('li', {}, line)))
}

/** What a figure is: description, unit, source and date. */
export function explanation (figure, sources) {
  return [
    element('p', {}, figure.description, ' ', figure.unit ? text('unit', { unit: figure.unit }) : '', ' ', dictionary(figure, text('in-dictionary'))),
    sourceList(sources, figure.origin),
  ]
}

/** The legend of a figure: the range and the number of places of each class. */
export function legend (figure, values, departements) {
  const known = values.filter(value => value !== null)
  const counts = Array(CLASSES.length).fill(0)
  const [lowest, highest] = [Array(CLASSES.length).fill(null), Array(CLASSES.length).fill(null)]
  for (const value of known) {
    const index = classOf(figure.edges, value)
    counts[index] += 1
    if (lowest[index] === null || value < lowest[index]) lowest[index] = value
    if (highest[index] === null || value > highest[index]) highest[index] = value
  }
  const swatch = colour => element('span', { class: 'swatch', style: `background:${colour}` })
  const rows = CLASSES.flatMap((colour, index) => (counts[index] ? [element('li', {}, swatch(colour),
    lowest[index] === highest[index] ? number(lowest[index]) : text('range', { from: number(lowest[index]), to: number(highest[index]) }),
    element('span', { class: 'soft' }, ` (${number(counts[index])})`))] : []))
  const missing = values.length - known.length
  if (missing) rows.push(element('li', {}, swatch('#d9d9d6'), text('missing'), element('span', { class: 'soft' }, ` (${number(missing)})`)))
  return [
    element('p', { class: 'small' }, text('quantiles'), ' ', figure.unit ? text('unit', { unit: figure.unit }) : ''),
    element('ul', { class: 'classes' }, ...rows),
    departements ? element('p', { class: 'small soft' }, text('medians')) : null,
  ].filter(Boolean)
}

/** The places with the highest and the lowest values, as tables. */
export function extremes (figure, all, values, choose) {
  const known = values.flatMap((value, index) => (value === null ? [] : [[value, index]]))
  known.sort(([a, one], [b, other]) => b - a || places.compare(all.name[one], all.name[other]))
  const table = (caption, rows) => element('table', {}, element('caption', {}, text(caption, { count: rows.length })),
    element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, text('place')), element('th', { scope: 'col', class: 'number' }, figure.unit ?? text('value')))),
    element('tbody', {}, ...rows.map(([value, index]) => element('tr', {},
      element('th', { scope: 'row' }, element('button', { type: 'button', class: 'link', click: () => choose(all.code[index]) }, all.name[index])),
      element('td', { class: 'number' }, number(value))))))
  return [table('highest', known.slice(0, COUNT)), table('lowest', known.slice(-COUNT).reverse())]
}

function shown (value) {
  if (Array.isArray(value)) return value.length ? value.join(', ') : '–'
  if (typeof value === 'boolean') return text(value ? 'yes' : 'no')
  return value
}

/** The head of a card. */
export function head (title, lines) {
  return [element('h2', { tabindex: '-1' }, title), ...lines.filter(Boolean).map(line => element('p', { class: 'soft' }, line))]
}

/** All that is known of a place: facts, then the figures of each table with their sources; the table of `figure` is open. */
export function details (layer, [numbers, facts], sources, figure) {
  const told = layer.facts.flatMap((fact, index) => (facts[index] === null ? [] : [[dictionary(fact, fact.label), shown(facts[index])]]))
  const groups = grouped(layer.figures)
  const opened = layer.figures.includes(figure) ? figure.origin : layer.figures[0].origin
  const blocks = [...groups].map(([origin, indexes]) => {
    const rows = indexes.map(index => {
      const figure = layer.figures[index]
      return element('tr', {},
        element('th', { scope: 'row', title: figure.description }, dictionary(figure, figure.label)),
        element('td', { class: 'number' }, withUnit(numbers[index], figure.unit)))
    })
    return element('details', origin === opened ? { open: '' } : {},
      element('summary', {}, element('span', { class: 'code' }, origin), element('span', { class: 'soft' }, ` (${rows.length})`)),
      element('table', {}, element('tbody', {}, ...rows)),
      sourceList(sources[origin], origin))
  })
  const list = told.map(([label, value]) => element('div', {}, element('dt', {}, label), element('dd', {}, value)))
  return [told.length ? element('dl', { class: 'told' }, ...list) : null, ...blocks].filter(Boolean)
}

function grouped (figures) {
  const groups = new Map()
  figures.forEach((figure, index) => groups.set(figure.origin, [...(groups.get(figure.origin) ?? []), index]))
  return groups
}

/** The lycées and collèges of an address or point, each with the evidence. `school` gives a button of a school. */
export function sectorBlock (sectors, sources, school) {
  const block = (kind, rows) => [
    element('h3', {}, text(kind)),
    rows.length ? element('ol', { class: 'sectors' }, ...rows.map(row => sectorRow(row, row[kind], sources, school, kind))) : element('p', {}, text(`no-${kind}`)),
  ]
  return [...block('lycees', sectors.lycees), ...block('colleges', sectors.colleges)]
}

function sectorRow (row, codes, sources, school, kind) {
  const table = row.evidence === 'segment' ? 'sectorisation_segments' : 'sectorisation_zones'
  const numbers = row.evidence === 'segment' ? text(row.to === null ? 'numbers-on' : 'numbers', { from: row.from ?? 1, to: row.to, side: text(row.side) }) : null
  const rule = row.rule.split(' > ').map(id => sources[table].find(source => source.id === id)).filter(Boolean)
  const evidence = text(`evidence-${row.evidence}`, { label: row.label, id: row.id })
  return element('li', {},
    ...codes.map(code => element('p', { class: 'school' }, school(kind, code))),
    element('p', { class: 'small soft' },
      element('a', { href: `rows/${table}.html#filter=id~is~${row.id}` }, [evidence, numbers].filter(Boolean).join(', ')),
      '. ', text('rule'), ' ', rule.length ? sourceLines(rule).join(' › ') : row.rule,
      row.year ? `, ${text('year', { year: row.year })}` : '', '.'))
}
