// The values of a Parquet column: how they are written, compared, filtered and sorted. NULL is undefined or null.

import { fold } from './fold.mjs'

// A value as text, as it is in the data; null for NULL.
export function written (value) {
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString().slice(0, 10)
  if (Array.isArray(value)) return JSON.stringify(value)
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}

export function csvLine (values) {
  return values.map(value => {
    const text = written(value)
    if (text === null) return ''
    return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }).join(',') + '\r\n'
}

// Whether a value passes a filter: {kind: text, number, date, flag or list; how; value, as somebody has typed it}.
export function test ({ kind, how, value }) {
  if (how === 'null') return found => found === undefined || found === null
  if (how === 'known') return found => found !== undefined && found !== null
  if (how === 'contains') {
    const part = fold(value)
    const text = Array.isArray
    return found => found !== undefined && found !== null && fold(text(found) ? found.join(' ') : String(found)).includes(part)
  }
  const wanted = kind === 'number' ? Number(value.replace(/[\s\u202f\u00a0]/g, '').replace(',', '.')) : value.trim()
  const own = kind === 'number' ? Number : written
  if (kind === 'number' && Number.isNaN(wanted)) throw new RangeError(value)
  const compare = { is: (a, b) => a === b, least: (a, b) => a >= b, most: (a, b) => a <= b }[how]
  return found => found !== undefined && found !== null && compare(own(found), wanted)
}

// The place of each value in the order of a column: equal values have the same, NULL comes last in both directions.
export function ranked (values, kind, down) {
  const own = kind === 'number' ? Number : written
  const keys = values.map(value => value === undefined || value === null ? null : own(value))
  const different = [...new Set(keys)].filter(key => key !== null)
  const collator = new Intl.Collator('fr')
  different.sort(kind === 'number' ? (a, b) => a - b : (a, b) => collator.compare(a, b) || (a < b ? -1 : 1))
  if (down) different.reverse()
  const places = new Map(different.map((key, place) => [key, place]))
  return Int32Array.from(keys, key => key === null ? different.length : places.get(key))
}
