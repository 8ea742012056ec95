// Reads one Parquet file away from the page's own thread: filters, sorts, pages and CSV, over columns and ranges of rows.

import { asyncBufferFromUrl, cachedAsyncBuffer, compressors, parquetMetadataAsync, parquetRead } from './lib/parquet.mjs'
import { csvLine, ranked, test, written } from './rows-values.mjs'

const MOST_CELLS = 12_000_000 // of whole columns that are kept
const NEAR = 2_000 // rows so near each other are read together
const CHUNK = 50_000 // rows that are written to CSV at a time
let file, metadata, total
let columns = new Map() // name to whole column, the one used last at the end
let chosen = null // numbers of the rows that the filters leave, in their order; null: all of them, as they are

const requests = { open, choose, page, csv }
let turn = Promise.resolve()

onmessage = ({ data: { number, name, ...request } }) => {
  turn = turn.then(async () => {
    try {
      postMessage({ number, answer: await requests[name](request) })
    } catch (error) {
      postMessage({ number, error: String(error?.message ?? error) })
    }
  })
}

async function open ({ url, bytes }) {
  file = cachedAsyncBuffer(await asyncBufferFromUrl({ url, byteLength: bytes }))
  metadata = await parquetMetadataAsync(file)
  total = Number(metadata.num_rows)
  return { total }
}

// Filter by all of `filters` ({column, kind, how, value}), then sort by `sort` ({column, kind, down}) if it is given.
async function choose ({ filters, sort }) {
  let rows = null
  for (const filter of filters) {
    const values = await column(filter.column)
    const passes = test(filter)
    const found = []
    for (const row of rows ?? counting(0, total)) if (passes(values[row])) found.push(row)
    rows = Uint32Array.from(found)
  }
  if (sort) {
    rows ??= Uint32Array.from(counting(0, total))
    const ranks = ranked(await column(sort.column), sort.kind, sort.down)
    rows.sort((one, other) => ranks[one] - ranks[other] || one - other)
  }
  chosen = rows
  return { found: rows ? rows.length : total }
}

async function page ({ names, start, end }) {
  const rows = chosen ? [...chosen.subarray(start, end)] : [...counting(start, Math.min(end, total))]
  const found = new Map()
  for (const [first, last] of stretches(rows)) {
    const values = await read(names, first, last + 1)
    for (let row = first; row <= last; row++) found.set(row, names.map(name => written(values[name][row - first])))
  }
  return { rows: rows.map(row => found.get(row)) }
}

async function csv ({ names }) {
  const count = chosen ? chosen.length : total
  const place = chosen ? new Int32Array(total).fill(-1) : null
  chosen?.forEach((row, number) => { place[row] = number })
  const lines = new Array(count)
  for (let start = 0; start < total; start += CHUNK) {
    const end = Math.min(start + CHUNK, total)
    if (place && !place.subarray(start, end).some(number => number >= 0)) continue
    const values = await read(names, start, end)
    for (let row = start; row < end; row++) {
      const number = place ? place[row] : row
      if (number >= 0) lines[number] = csvLine(names.map(name => values[name][row - start]))
    }
  }
  const parts = [csvLine(names)]
  for (let start = 0; start < count; start += CHUNK) parts.push(lines.slice(start, start + CHUNK).join(''))
  return { blob: new Blob(parts, { type: 'text/csv;charset=utf-8' }) }
}

// A whole column; those used last are kept.
async function column (name) {
  const values = columns.get(name) ?? (await read([name], 0, total))[name]
  columns.delete(name)
  columns.set(name, values)
  for (const oldest of [...columns.keys()].slice(0, -1)) {
    if (columns.size * total <= MOST_CELLS) break
    columns.delete(oldest)
  }
  return values
}

// Some columns of the rows from start to before end, each as a list.
async function read (names, start, end) {
  const values = Object.fromEntries(names.map(name => [name, new Array(end - start)]))
  if (start >= end) return values
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: names,
    rowStart: start,
    rowEnd: end,
    useOffsetIndex: true,
    onChunk ({ columnName, columnData, rowStart }) {
      const into = values[columnName]
      for (let number = 0; number < columnData.length; number++) {
        const at = rowStart + number - start
        if (at >= 0 && at < into.length) into[at] = columnData[number]
      }
    }
  })
  return values
}

function * counting (start, end) {
  for (let number = start; number < end; number++) yield number
}

// Row numbers as stretches of rows that are read together, first and last of each.
function stretches (rows) {
  const found = []
  for (const row of [...rows].sort((one, other) => one - other)) {
    const current = found.at(-1)
    if (current && row - current[1] <= NEAR) current[1] = row
    else found.push([row, row])
  }
  return found
}
