// Finding places and streets by what somebody types. Pure: no page, no request.

import { fold as plain } from './fold.mjs'

/** A name as it is compared: folded, without punctuation; "saint" is "st". */
export function fold (written) {
  return plain(written)
    .replace(/[^a-z0-9]+/g, ' ')
    .replace(/\bsainte\b/g, 'ste')
    .replace(/\bsaint\b/g, 'st')
    .trim()
}

/** A list to search, made once: for each place of a layer what it is found by. */
export function searchList (layer, places) {
  return places.code.map((code, index) => {
    const name = fold(places.name[index])
    return { layer, code, index, name, all: ` ${name} ${fold(places.near[index] ?? '')} ${code.toLowerCase()}` }
  })
}

/** The entries that have all words of the query, those whose name begins with it first. */
export function search (list, query, most) {
  const wanted = fold(query)
  const words = wanted.split(' ').filter(Boolean)
  if (!words.length) return []
  const rank = entry =>
    entry.code.toLowerCase() === wanted || entry.name === wanted ? 0
      : entry.name.startsWith(wanted) ? 1
        : words.every(word => entry.all.includes(` ${word}`)) ? 2
          : 3
  return list
    .filter(entry => words.every(word => entry.all.includes(word)))
    .map(entry => [rank(entry), entry])
    .sort(([a, one], [b, other]) => a - b || one.name.length - other.name.length || one.index - other.index)
    .slice(0, most)
    .map(([, entry]) => entry)
}

/** What a query may mean as an address: communes whose name or postal code is in it, with the rest of the query. */
export function communesInAddress (communes, query, most) {
  const wanted = ` ${fold(query)} `
  return communes
    .flatMap(entry => {
      const names = [entry.name, ...entry.all.slice(entry.name.length + 1).split(' ')].filter(name => name.length > 1)
      const name = names.find(one => wanted.includes(` ${one} `))
      if (!name) return []
      const rest = names.reduce((left, one) => left.replace(` ${one} `, ' '), wanted).trim()
      return /[a-z]/.test(rest) ? [{ entry, rest, length: name.length }] : []
    })
    .sort((one, other) => other.length - one.length)
    .slice(0, most)
}

/** House number and street of an address without its commune; the number is null if there is none. */
export function houseNumber (written) {
  const [, digits, street] = /^\s*(?:(\d+)\s*(?:bis|ter|quater|[a-d]\b)?[\s,]+)?(.*)$/i.exec(written)
  return { number: digits ? Number(digits) : null, street }
}

/** The words of a street as the vocabulary reads them; what was typed may be unfinished. */
export function streetWords (vocabulary, written) {
  const plain = written.normalize('NFD').replace(/\p{M}/gu, '').toUpperCase().replace(/Œ/g, 'OE')
  const tokens = plain.match(/\d+|[A-Z]+/g) ?? []
  return tokens
    .map((token, place) => (place === 0 && tokens.length > 1 && vocabulary.first[token]) || vocabulary.words[token] || token)
    .filter(token => !vocabulary.small.includes(token))
    .flatMap(token => token.split(' '))
}

const [LABEL, PLACE, , FROM, TO, SIDE, ID, SECTOR, KEY, NAME_KEY] = Array(10).keys()

/** The street of a key as the carte scolaire writes it; the key itself if it names none. */
export function streetLabel (file, key) {
  return file?.streets.find(street => street[KEY] === key)?.[LABEL] ?? key
}

/** The zones of a département's file as objects. */
export function zonesOf (file) {
  return (file?.zones ?? []).map(([commune, label, nature, id, sector]) => (
    { commune, id, label, evidence: nature === 'commune' ? 'commune' : 'zone', ...file.sectors[sector] }))
}

/** The streets of a commune's file that have all these words, each once: {key, label}. */
export function streetsWith (file, words, most) {
  const found = new Map()
  for (const street of file.streets) {
    for (const key of [street[KEY], street[NAME_KEY]]) {
      const parts = key.split(' ')
      if (key && words.every(word => parts.some(part => part.startsWith(word)))) {
        if (!found.has(street[KEY])) found.set(street[KEY], { key: street[KEY], label: street[LABEL] })
      }
    }
  }
  return [...found.values()].sort((one, other) => one.key.length - other.key.length).slice(0, most)
}

function hasNumber (street, wanted) {
  if (wanted === null) return true
  const parity = wanted % 2 ? 'impair' : 'pair'
  return (street[FROM] ?? wanted) <= wanted && wanted <= (street[TO] ?? wanted) && ['tous', parity].includes(street[SIDE])
}

/**
 * The sectors of an address: as lycees_de_secteur(code_commune, libelle_rue, numero) has them for the lycées, and
 * beside them all rows about its collège. Each has evidence, id, label, rule, year, lycees and colleges.
 *
 * @param file the commune's streets, or null if it has none
 * @param zones the zones of the département, or null
 * @param wanted the house number; null for the whole street
 */
export function sectorsOf (file, zones, commune, key, wanted) {
  const segments = (file?.streets ?? [])
    .filter(street => (street[KEY] === key || street[NAME_KEY] === key) && hasNumber(street, wanted))
    .map(street => ({
      evidence: 'segment',
      id: street[ID],
      label: [street[LABEL], street[PLACE]].filter(Boolean).join(', '),
      from: street[FROM],
      to: street[TO],
      side: street[SIDE],
      ...file.sectors[street[SECTOR]],
    }))
  const whole = zonesOf(zones).filter(zone => zone.commune === commune && zone.evidence === 'commune')
  const step = row => (row.evidence === 'commune' ? 3 : row.rule.includes(' > ') ? 2 : 1)
  const all = [...segments, ...once(whole)]
  const withLycees = all.filter(row => row.lycees)
  const first = Math.min(...withLycees.map(step))
  return {
    lycees: withLycees.filter(row => step(row) === first),
    colleges: (segments.some(row => row.colleges) ? segments : once(whole)).filter(row => row.colleges),
  }
}

/** One of the polygons of a zone that has several. */
function once (zones) {
  return zones.filter((zone, index) => zones.findIndex(other => String(other.lycees) === String(zone.lycees) && other.label === zone.label) === index)
}
