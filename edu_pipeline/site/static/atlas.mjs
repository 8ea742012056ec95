// The page of the map: what is chosen, and what follows from it for the map, the panel and the address.

import { element, json, text } from './dom.mjs'
import * as find from './atlas-find.mjs'
import * as map from './atlas-map.mjs'
import * as panel from './atlas-panel.mjs'

const $ = id => document.getElementById(id)
const root = new URL('..', import.meta.url)
const data = path => json(root, `data/atlas/${path}`)
const LAYERS = ['communes', 'lycees', 'colleges', 'departements']
const FIRST = { communes: 'mediane_niveau_vie', lycees: 'ips', colleges: 'ips', departements: '' }
const ZOOM = { communes: 10, lycees: 12, colleges: 12, departements: 7 }
const FOUND = 8

const atlas = await data('atlas.json')
const departements = await data('departements/places.json')
const withStreets = new Set(atlas.streets)
const state = { layer: 'communes', figure: null, place: null, address: null, on: [], view: null }
let drawn = null
let marked = []

const figures = layer => atlas.layers[layer].figures
const placesOf = layer => data(`${layer}/places.json`)
const positions = new Map()

/** The index of a code among the places of a layer; undefined if there is none. */
async function position (layer, code) {
  if (!positions.has(layer)) positions.set(layer, placesOf(layer).then(all => new Map(all.code.map((one, index) => [one, index]))))
  return (await positions.get(layer)).get(code)
}

// The address after '#'.

function readAddress () {
  const told = new URLSearchParams(location.hash.slice(1))
  state.layer = LAYERS.includes(told.get('layer')) ? told.get('layer') : 'communes'
  const wanted = figures(state.layer).find(one => one.id === told.get('figure'))
  state.figure = wanted ?? figures(state.layer).find(one => one.column === FIRST[state.layer]) ?? figures(state.layer)[0]
  const [layer, code] = (told.get('place') ?? '').split('/')
  state.place = LAYERS.includes(layer) && code ? { layer, code } : null
  const [commune, key, house] = (told.get('address') ?? '').split('/')
  state.address = key ? { commune, key, house: house ? Number(house) : null } : null
  state.on = (told.get('with') ?? '').split(' ').filter(Boolean)
  state.view = told.get('view')?.split('/').map(Number) ?? null
}

function writeAddress () {
  const told = new URLSearchParams({ layer: state.layer, figure: state.figure.id })
  if (state.place) told.set('place', `${state.place.layer}/${state.place.code}`)
  if (state.address) told.set('address', [state.address.commune, state.address.key, state.address.house ?? ''].join('/'))
  if (state.on.length) told.set('with', state.on.join(' '))
  if (drawn) {
    const { lng, lat } = drawn.getCenter()
    told.set('view', [drawn.getZoom().toFixed(2), lat.toFixed(4), lng.toFixed(4)].join('/'))
  }
  history.replaceState(null, '', `#${told}`)
}

// The figure: choice, explanation, legend, colours, extremes.

function offerFigures () {
  const groups = new Map()
  for (const figure of figures(state.layer)) {
    const unit = figure.unit && figure.unit.length < 20 ? ` (${figure.unit})` : ''
    const option = element('option', { value: figure.id, title: figure.description }, figure.label + unit)
    groups.set(figure.table, [...(groups.get(figure.table) ?? []), option])
  }
  $('figure').replaceChildren(...[...groups].map(([table, options]) => element('optgroup', { label: table }, ...options)))
  $('figure').value = state.figure.id
  document.querySelector(`input[name=layer][value=${state.layer}]`).checked = true
}

async function showFigure () {
  const { layer, figure } = state
  $('explanation').replaceChildren(...panel.explanation(figure, atlas.sources[figure.origin]))
  const { values, medians } = await data(`${layer}/values/${figures(layer).indexOf(figure)}.json`)
  if (figure !== state.figure) return
  $('legend').replaceChildren(...panel.legend(figure, values, layer === 'communes'))
  if (drawn) {
    map.showLayers(drawn, layer, state.on)
    for (const other of LAYERS) if (other !== layer) map.clear(drawn, other)
    if (layer === 'communes') paint('departements', figure, Object.entries(medians)) // at once: this is what is seen first
    drawn.once('idle', () => performance.mark('painted'))
  }
  const all = await placesOf(layer)
  if (figure !== state.figure) return
  $('extremes').replaceChildren(...panel.extremes(figure, all, values, code => choose({ layer, code }, true)))
  if (!drawn) return
  paint(layer, figure, all.code.map((code, index) => [code, values[index]]))
  for (const [of, code] of marked) map.mark(drawn, of, code, true)
  $('map').dataset.figure = figure.id
}

function paint (layer, figure, values) {
  const known = values.filter(([, value]) => value !== null)
  map.colour(drawn, layer, known.map(([code, value]) => [code, panel.classOf(figure.edges, value)]))
}

// Places: card and mark on the map.

function markOnly (...places) {
  if (drawn) {
    for (const [layer, code] of marked) map.mark(drawn, layer, code, false)
    for (const [layer, code] of places) map.mark(drawn, layer, code, true)
  }
  marked = places
}

async function fly (layer, code) {
  const [all, index] = await Promise.all([placesOf(layer), position(layer, code)])
  if (!drawn || index === undefined || all.x[index] === null) return
  drawn.jumpTo({ center: [all.x[index], all.y[index]], zoom: Math.max(ZOOM[layer], layer === 'departements' ? 0 : drawn.getZoom()) })
}

async function choose (place, move, point) {
  Object.assign(state, { place, address: null })
  markOnly([place.layer, place.code])
  if (move) await fly(place.layer, place.code)
  writeAddress()
  await showCard(point)
}

async function showCard (sector) {
  const { layer, code } = state.place
  const [all, index] = await Promise.all([placesOf(layer), position(layer, code)])
  if (index === undefined) return
  const departement = all.dep[index] ?? ''
  const known = (await data(`${layer}/cards/${departement}.json`))[code]
  if (state.place?.code !== code) return
  const above = layer === 'departements' ? null : departements.name[departements.code.indexOf(departement)]
  const town = all.commune ? [all.near[index], above] : [all.near[index], layer === 'departements' ? null : above]
  const lines = [text(`kind-${layer}`) + (all.sector?.[index] ? `, ${all.sector[index]}` : ''), town.filter(Boolean).join(', '), text('code', { code })]
  const more = []
  if (all.commune?.[index]) more.push(element('p', {}, placeButton('communes', all.commune[index], text('its-commune'))))
  if (layer === 'communes' && withStreets.has(code)) more.push(addressForm(code))
  if (sector) more.push(...await sectorAtPoint(sector, departement))
  show(...panel.head(all.name[index], lines), ...more, ...panel.details(atlas.layers[layer], known, atlas.sources, state.figure))
}

function show (...content) {
  $('card').replaceChildren(...content)
  $('card').hidden = false
  $('card').querySelector('h2').focus({ preventScroll: window.innerWidth > 900 })
}

function placeButton (layer, code, label) {
  return element('button', { type: 'button', class: 'link', click: () => choose({ layer, code }, true) }, label)
}

// Sectors: of an address, and of a point while sectors are shown.

async function zonesAround (commune) {
  const all = await placesOf('communes')
  const departement = all.dep[await position('communes', commune)]
  return data(`zones/${departement}.json`).catch(() => null)
}

async function schoolButtons (sectors) {
  const names = new Map()
  for (const kind of ['lycees', 'colleges']) {
    const all = await placesOf(kind)
    for (const code of new Set(sectors[kind].flatMap(row => row[kind]))) {
      const index = await position(kind, code)
      names.set(code, index === undefined ? null : `${all.name[index]}, ${all.near[index] ?? ''}`)
    }
  }
  return (kind, code) => (names.get(code) ? placeButton(kind, code, names.get(code)) : text('unknown-school', { code }))
}

async function sectorAtPoint (id, departement) {
  const zones = await data(`zones/${departement}.json`)
  const row = find.zonesOf(zones).find(zone => String(zone.id) === id)
  if (!row) return []
  const sectors = { lycees: row.lycees ? [row] : [], colleges: row.colleges ? [row] : [] }
  return panel.sectorBlock(sectors, atlas.sources, await schoolButtons(sectors))
}

async function showStreet () {
  const { commune, key, house } = state.address
  const [all, index, file, zones] = await Promise.all([placesOf('communes'), position('communes', commune), streetsOf(commune), zonesAround(commune)])
  const sectors = find.sectorsOf(file, zones, commune, key, house)
  const title = [house, find.streetLabel(file, key)].filter(part => part !== null).join(' ')
  show(...panel.head(title, [`${all.name[index]}, ${text('address-of')}`]),
    ...panel.sectorBlock(sectors, atlas.sources, await schoolButtons(sectors)),
    element('p', {}, placeButton('communes', commune, text('its-commune'))))
  const led = new Set(sectors.lycees.flatMap(row => row.lycees))
  const same = find.zonesOf(zones).filter(zone => zone.commune === commune && zone.lycees?.some(one => led.has(one)))
  markOnly(['communes', commune], ...same.map(zone => ['secteurs', String(zone.id)]))
}

async function chooseStreet (commune, key, house) {
  Object.assign(state, { place: null, address: { commune, key, house } })
  if (!state.on.includes('secteurs')) switchOn('secteurs', true)
  await fly('communes', commune)
  writeAddress()
  await showStreet()
}

const streetsOf = commune => (withStreets.has(commune) ? data(`streets/${commune}.json`) : Promise.resolve(null))

/** The streets of a commune that a typed address may mean, as buttons. */
async function streetButtons (commune, written, name) {
  const [vocabulary, file] = await Promise.all([data('streets/vocabulary.json'), streetsOf(commune)])
  const { number, street } = find.houseNumber(written)
  const words = find.streetWords(vocabulary, street)
  if (!file || !words.length) return []
  return find.streetsWith(file, words, FOUND).map(({ key, label }) => element('button', {
    type: 'button', class: 'found', click: () => chooseStreet(commune, key, number),
  }, [number, label].filter(part => part !== null).join(' '), element('small', {}, `${name}, ${text('street')}`)))
}

function addressForm (commune) {
  const found = element('div', { class: 'places', role: 'status' })
  const answer = async ({ target }) => found.replaceChildren(...await streetButtons(commune, target.value, commune))
  return element('div', { class: 'tools' }, element('label', {}, text('address-here'), element('input', { type: 'search', input: answer, autocomplete: 'off' })), found)
}

// Search.

let lists = null

async function searchLists () {
  lists ??= Promise.all(['departements', 'communes', 'lycees', 'colleges'].map(async layer => find.searchList(layer, await placesOf(layer))))
  return lists
}

async function answer () {
  const query = $('query').value
  const all = await searchLists()
  if (query !== $('query').value) return
  const buttons = await Promise.all(find.search(all.flat(), query, FOUND).map(async ({ layer, code, index }) => {
    const places = await placesOf(layer)
    return element('button', { type: 'button', class: 'found', click: () => choose({ layer, code }, true) },
      places.name[index], element('small', {}, [text(`kind-${layer}`), places.near[index]].filter(Boolean).join(', ')))
  }))
  const addresses = await Promise.all(find.communesInAddress(all[1].filter(({ code }) => withStreets.has(code)), query, 3)
    .map(async ({ entry, rest }) => streetButtons(entry.code, rest, (await placesOf('communes')).name[entry.index])))
  if (query !== $('query').value) return
  const found = [...addresses.flat(), ...buttons]
  $('results').replaceChildren(...(found.length || !query.trim() ? found : [element('p', {}, text('nothing'))]))
  $('results').dataset.query = query
}

// Layers that are switched on.

function switchOn (name, yes) {
  state.on = [...state.on.filter(one => one !== name), ...(yes ? [name] : [])]
  for (const box of document.querySelectorAll('input[name=with]')) box.checked = state.on.includes(box.value)
  if (drawn) map.showLayers(drawn, state.layer, state.on)
  writeAddress()
}

async function showAll () {
  offerFigures()
  for (const box of document.querySelectorAll('input[name=with]')) box.checked = state.on.includes(box.value)
  const shown = [showFigure()]
  if (state.place) {
    markOnly([state.place.layer, state.place.code])
    shown.push(showCard())
  }
  if (state.address) shown.push(showStreet())
  await Promise.all(shown)
}

function listen () {
  $('query').addEventListener('input', answer)
  $('find').addEventListener('submit', event => {
    event.preventDefault()
    $('results').querySelector('button')?.click()
  })
  for (const radio of document.querySelectorAll('input[name=layer]')) {
    radio.addEventListener('change', () => {
      state.layer = radio.value
      state.figure = figures(state.layer).find(one => one.column === FIRST[state.layer]) ?? figures(state.layer)[0]
      offerFigures()
      writeAddress()
      showFigure()
    })
  }
  $('figure').addEventListener('change', () => {
    state.figure = figures(state.layer).find(one => one.id === $('figure').value)
    writeAddress()
    showFigure()
  })
  for (const box of document.querySelectorAll('input[name=with]')) box.addEventListener('change', () => switchOn(box.value, box.checked))
  addEventListener('hashchange', async () => {
    readAddress()
    await showAll()
  })
}

readAddress()
listen()
const titles = { 'Map.Title': text('map'), 'NavigationControl.ZoomIn': text('zoom-in'), 'NavigationControl.ZoomOut': text('zoom-out') }
try {
  drawn = await map.makeMap($('map'), atlas, path => new URL(path, root).href, titles, departements)
} catch (error) {
  $('map').replaceChildren(element('p', { class: 'no-map' }, text('no-map', { error: error.message })))
}
if (drawn) {
  if (state.view) drawn.jumpTo({ zoom: state.view[0], center: [state.view[2], state.view[1]] })
  drawn.on('moveend', writeAddress)
  drawn.on('click', ({ point }) => {
    const place = map.placeAt(drawn, point)
    if (place) choose(place, false, map.sectorAt(drawn, point))
  })
  drawn.on('mousemove', ({ point }) => {
    drawn.getCanvas().style.cursor = map.placeAt(drawn, point) ? 'pointer' : ''
  })
}
await showAll()
drawn?.once('idle', () => {
  performance.mark('complete')
  $('map').dataset.ready = 'yes'
})
drawn?.triggerRepaint()
