// The map: what is drawn, and in which colours. It knows no figure, only the class of each place.

import * as maplibregl from './lib/maplibre-gl.mjs'

export const CLASSES = ['#edf3c9', '#a8d9b5', '#56b4b8', '#2c7fb0', '#253a84']
const UNKNOWN = '#d9d9d6'
const SCHOOLS = { lycees: '#e8590c', colleges: '#f6d55c' } // while another layer is coloured
const INK = '#15211d'
const FONT = 'SourceSans'
const CHOSEN = '#d9480f'
const FRANCE = [[-5.3, 41.2], [9.8, 51.2]]

/** The zoom from which communes are drawn; further away their départements stand for them. */
const COMMUNES = 7

const byClass = [
  'match', ['coalesce', ['feature-state', 'class'], -1],
  ...CLASSES.flatMap((colour, index) => [index, colour]), UNKNOWN,
]
const whenChosen = (yes, no) => ['case', ['boolean', ['feature-state', 'chosen'], false], yes, no]

const SOURCES = { departements: 'land', communes: 'land', noms: 'land', lycees: 'schools', colleges: 'schools', secteurs: 'schools' }

/**
 * The map in `container`, when it can be coloured; its tiles may be on their way.
 *
 * @param atlas the content of data/atlas/atlas.json
 * @param address makes the address of a file of the site
 */
export function makeMap (container, atlas, address, texts, departements) {
  const known = Object.fromEntries(
    Object.entries(atlas.tiles).flatMap(([set, zooms]) => Object.entries(zooms).flatMap(([zoom, tiles]) => tiles.map(tile => [`${set}/${zoom}/${tile}`, true]))),
  )
  maplibregl.addProtocol('atlas', async ({ url }, abort) => {
    const path = url.replace('atlas://', '')
    if (!known[path]) return { data: new ArrayBuffer(0) }
    const answer = await fetch(address(`data/atlas/${path}.pbf`), { signal: abort.signal })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return { data: await answer.arrayBuffer() }
  })
  const map = new maplibregl.Map({
    container,
    style: style(departements, address('assets/lib/source-sans-3.woff2')),
    bounds: FRANCE,
    fitBoundsOptions: { padding: 10 },
    minZoom: 3,
    maxZoom: 16,
    dragRotate: false,
    attributionControl: false,
    locale: texts,
    fadeDuration: 0,
  })
  map.touchZoomRotate.disableRotation()
  map.keyboard.disableRotation()
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), 'top-right')
  map.addControl(new maplibregl.ScaleControl(), 'bottom-left')
  return new Promise(resolve => map.once('style.load', () => resolve(map)))
}

function style (departements, font) {
  const vector = (set, lowest, highest, ...layers) => ({
    type: 'vector', tiles: [`atlas://${set}/{z}/{x}/{y}`], minzoom: lowest, maxzoom: highest,
    promoteId: Object.fromEntries(layers.map(layer => [layer, 'code'])),
  })
  const layer = (id, of, type, paint, more = {}) => ({ id, source: SOURCES[of], 'source-layer': of, type, paint, ...more })
  const hidden = { layout: { visibility: 'none' } } // until somebody asks for it: its tiles are not fetched
  const circle = {
    'circle-radius': ['interpolate', ['linear'], ['zoom'], 4, 2, 8, 4.5, 12, 8],
    'circle-stroke-color': whenChosen(CHOSEN, INK),
    'circle-stroke-width': whenChosen(4, 0.8),
  }
  const label = { 'text-color': INK, 'text-halo-color': '#ffffff', 'text-halo-width': 1.4 }
  return {
    version: 8,
    'font-faces': { [FONT]: [{ url: font }] },
    sources: {
      land: vector('land', 3, 8, 'departements', 'communes', 'noms'),
      schools: vector('schools', 3, 10, 'lycees', 'colleges', 'secteurs'),
      names: { type: 'geojson', data: points(departements) },
    },
    layers: [
      { id: 'sea', type: 'background', paint: { 'background-color': '#c9dbe3' } },
      layer('departements', 'departements', 'fill', { 'fill-color': byClass, 'fill-antialias': false }),
      layer('communes', 'communes', 'fill', { 'fill-color': byClass, 'fill-antialias': false }, { minzoom: COMMUNES }),
      layer('secteurs', 'secteurs', 'fill', { 'fill-color': ['case', ['has', 'lycees'], '#7048a8', '#a0703c'], 'fill-opacity': whenChosen(0.55, 0.02) }, hidden),
      layer('commune-borders', 'communes', 'line', { 'line-color': '#ffffff', 'line-width': ['interpolate', ['linear'], ['zoom'], 7, 0.3, 11, 1.2] }, { minzoom: COMMUNES }),
      layer('secteur-borders', 'secteurs', 'line', { 'line-color': '#4a2c7a', 'line-width': whenChosen(3, 1.2), 'line-dasharray': [3, 2] }, hidden),
      layer('departement-borders', 'departements', 'line', { 'line-color': INK, 'line-width': whenChosen(3, 0.7) }),
      layer('commune-chosen', 'communes', 'line', { 'line-color': CHOSEN, 'line-width': whenChosen(3.5, 0) }, { minzoom: COMMUNES }),
      layer('colleges', 'colleges', 'circle', circle, hidden),
      layer('lycees', 'lycees', 'circle', circle, hidden),
      { id: 'departement-names', source: 'names', type: 'symbol', minzoom: 5, maxzoom: 9, layout: { 'text-field': ['get', 'name'], 'text-size': 12, 'text-font': [FONT] }, paint: label },
      layer('commune-names', 'noms', 'symbol', label, { minzoom: 9, layout: { 'text-field': ['get', 'name'], 'text-size': 12, 'text-font': [FONT] } }),
    ],
  }
}

function points (places) {
  const features = places.code.flatMap((code, index) => (places.x[index] === null ? [] : [{
    type: 'Feature', properties: { name: places.name[index] }, geometry: { type: 'Point', coordinates: [places.x[index], places.y[index]] },
  }]))
  return { type: 'FeatureCollection', features }
}

/** Show the coloured layer, and of the others those that are switched on. */
export function showLayers (map, coloured, switchedOn) {
  const visible = (id, yes) => map.setLayoutProperty(id, 'visibility', yes ? 'visible' : 'none')
  map.setLayerZoomRange('departements', 0, coloured === 'departements' ? 24 : COMMUNES)
  visible('communes', coloured !== 'departements')
  for (const id of Object.keys(SCHOOLS)) {
    visible(id, coloured === id || switchedOn.includes(id))
    map.setPaintProperty(id, 'circle-color', coloured === id ? byClass : SCHOOLS[id])
    map.setLayerZoomRange(id, coloured === id ? 0 : COMMUNES - 1, 24)
  }
  for (const id of ['secteurs', 'secteur-borders']) visible(id, switchedOn.includes('secteurs'))
}

/** Colour the places of a layer. `classes` are pairs of code and class; places that are not among them are grey. */
export function colour (map, layer, classes) {
  map.removeFeatureState({ source: SOURCES[layer], sourceLayer: layer })
  for (const [code, index] of classes) {
    map.setFeatureState({ source: SOURCES[layer], sourceLayer: layer, id: code }, { class: index })
  }
}

/** Take the colours of a layer away. */
export function clear (map, layer) {
  colour(map, layer, [])
}

/** Mark a place as chosen, or no longer. */
export function mark (map, layer, code, chosen) {
  map.setFeatureState({ source: SOURCES[layer], sourceLayer: layer, id: code }, { chosen })
}

/** The place that somebody points at: the topmost school, else the commune or the département; null over the sea. */
export function placeAt (map, point) {
  const box = [[point.x - 4, point.y - 4], [point.x + 4, point.y + 4]]
  const under = (area, ...layers) => map.queryRenderedFeatures(area, { layers: layers.filter(id => map.getLayoutProperty(id, 'visibility') !== 'none') })[0]
  const found = under(box, 'lycees', 'colleges') ?? under(point, 'communes', 'departements')
  return found ? { layer: found.sourceLayer, code: found.properties.code } : null
}

/** The id of the sector at a point, if sectors are shown; else null. */
export function sectorAt (map, point) {
  if (map.getLayoutProperty('secteurs', 'visibility') === 'none') return null
  return map.queryRenderedFeatures(point, { layers: ['secteurs'] })[0]?.properties.code ?? null
}
