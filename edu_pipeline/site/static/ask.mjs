// The page for SQL: DuckDB in the browser, loaded when somebody asks for it, over one file of the site.

import { element, language, text } from './dom.mjs'
import { csvLine } from './rows-values.mjs'

const $ = id => document.getElementById(id)
const root = new URL('..', import.meta.url)
const SCHEMA = 'educational_data'
const SHOWN = 500

/** Significant digits of a number: a decimal comes as a double, which has no more and whose last bits are noise. */
const DIGITS = 15

/** What DuckDB's errors begin with, and the text that explains each. */
const ERRORS = {
  'Parser Error': 'error-syntax',
  'Catalog Error': 'error-name',
  'Binder Error': 'error-column',
  'Conversion Error': 'error-type',
  'Out of Memory Error': 'error-memory',
  'Permission Error': 'error-outside',
  'Missing Extension Error': 'error-extension',
  'Autoload Error': 'error-extension',
}

let connection = null
let answer = null

/** The bytes of a file, with the share that has arrived shown on the way. */
async function fetched (path, total) {
  const response = await fetch(new URL(path, root))
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  const bytes = new Uint8Array(total)
  let arrived = 0
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes.set(value, arrived)
    arrived += value.length
    $('progress').value = arrived / total
  }
  return bytes
}

async function load () {
  $('load').disabled = true
  $('progress').hidden = false
  say('loading')
  const { AsyncDuckDB, VoidLogger } = await import('./lib/duckdb.mjs')
  const library = name => new URL(`assets/lib/${name}`, root).href
  const { file, bytes } = $('load').dataset
  const database = new AsyncDuckDB(new VoidLogger(), new Worker(library('duckdb-browser-eh.worker.js')))
  const [content] = await Promise.all([fetched(`data/${file}`, Number(bytes)), database.instantiate(library('duckdb-eh.wasm'))])
  await database.registerFileBuffer(file, content)
  await database.open({ query: { castDecimalToDouble: true, castBigIntToDouble: true } })
  connection = await database.connect()
  // Nothing may be fetched from elsewhere: neither extensions nor files that a query names.
  for (const statement of [
    'SET autoinstall_known_extensions = false',
    'SET autoload_known_extensions = false',
    `ATTACH '${file}' AS ${SCHEMA} (READ_ONLY)`,
    `USE ${SCHEMA}`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]) await connection.query(statement)
  $('offer').hidden = true
  $('run').disabled = false
  say('loaded')
}

function say (name, values = {}) {
  $('status').textContent = text(name, values)
}

/** A value of an answer as text; null if there is none. */
function shown (value, type) {
  if (value === null || value === undefined) return null
  if (/^Date/.test(type)) return new Date(value).toISOString().slice(0, 10)
  if (/^Timestamp/.test(type)) return new Date(value).toISOString().replace('T', ' ').replace(/\.?0*Z$/, '')
  if (/^Float/.test(type)) return String(Number(value.toPrecision(DIGITS)))
  if (typeof value === 'object') return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one?.toArray ? [...one.toArray()] : one))
  return String(value)
}

function cell (value, type) {
  if (value === null) return element('td', { class: 'soft' }, 'NULL')
  const isNumber = /^(Int|Uint|Float|Decimal)/.test(type)
  return element('td', isNumber ? { class: 'number' } : {}, value)
}

async function run () {
  if (!connection) return
  $('run').disabled = true
  $('save').disabled = true
  $('error').hidden = true
  $('answer').replaceChildren()
  say('running')
  try {
    const begin = performance.now()
    const table = await connection.query($('sql').value)
    const types = table.schema.fields.map(field => String(field.type))
    const columns = table.schema.fields.map((field, index) => [...table.getChildAt(index)].map(value => shown(value, types[index])))
    answer = { names: table.schema.fields.map(field => field.name), columns, rows: table.numRows }
    show(types)
    $('save').disabled = false
    say('answered', { rows: answer.rows.toLocaleString(language), seconds: ((performance.now() - begin) / 1000).toLocaleString(language, { maximumFractionDigits: 2 }) })
  } catch (error) {
    explain(error)
  }
  $('run').disabled = false
}

function show (types) {
  const rows = Array.from({ length: Math.min(answer.rows, SHOWN) }, (_, row) =>
    element('tr', {}, ...answer.columns.map((values, column) => cell(values[row], types[column]))))
  $('answer').replaceChildren(element('table', {},
    element('caption', {}, answer.rows > SHOWN ? text('first-rows', { count: SHOWN }) : text('all-rows')),
    element('thead', {}, element('tr', {}, ...answer.names.map(name => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, ...rows)))
}

function explain (error) {
  const message = String(error.message ?? error)
  const kind = Object.keys(ERRORS).find(one => message.includes(one))
  const needsExtension = /extension/i.test(message) && /(json|icu|parquet|httpfs|spatial)/i.test(message)
  $('error').replaceChildren(
    element('p', {}, element('strong', {}, text(needsExtension ? 'error-extension' : ERRORS[kind] ?? 'error-other'))),
    element('pre', {}, message))
  $('error').hidden = false
  say('failed')
}

/** The answer as CSV. */
function csv () {
  const rows = Array.from({ length: answer.rows }, (_, row) => answer.columns.map(values => values[row]))
  return [answer.names, ...rows].map(csvLine).join('')
}

function save () {
  const link = element('a', { href: URL.createObjectURL(new Blob([csv()], { type: 'text/csv' })), download: 'edu_pipeline.csv' })
  link.click()
  URL.revokeObjectURL(link.href)
}

/** Put a query into the field and into the address, so that it can be shared. */
function propose (sql) {
  $('sql').value = sql
  history.replaceState(null, '', `#${new URLSearchParams({ sql })}`)
}

function fromAddress () {
  const sql = new URLSearchParams(location.hash.slice(1)).get('sql')
  if (sql) $('sql').value = sql
}

$('load').addEventListener('click', () => load().then(run).catch(error => {
  $('load').disabled = false
  explain(error)
}))
$('run').addEventListener('click', run)
$('save').addEventListener('click', save)
$('sql').addEventListener('change', () => propose($('sql').value))
$('sql').addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    run()
  }
})
for (const button of document.querySelectorAll('button[data-sql]')) {
  button.addEventListener('click', () => {
    propose(button.dataset.sql)
    run()
    $('sql').focus()
  })
}
addEventListener('hashchange', fromAddress)
fromAddress()
