// The search field of every page: tables, columns and sources. The list is fetched when somebody goes to the field.

import { fold } from './fold.mjs'

const MOST = 40
const KINDS = ['table', 'view', 'source', 'column']
const form = document.querySelector('form.search')
const field = form.querySelector('input')
const results = form.querySelector('.results')
const names = Object.fromEntries(
  [...form.querySelector('template').content.querySelectorAll('[data-kind]')].map(one => [one.dataset.kind, one.textContent]))
let list

form.hidden = false
field.addEventListener('focus', load)
field.addEventListener('input', show)
form.addEventListener('submit', event => { event.preventDefault(); results.querySelector('a')?.click() })
form.addEventListener('keydown', move)
document.addEventListener('pointerdown', event => { if (!form.contains(event.target)) close() })
form.addEventListener('focusout', event => { if (event.relatedTarget && !form.contains(event.relatedTarget)) close() })
document.addEventListener('keydown', event => {
  if (event.key === '/' && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) {
    event.preventDefault()
    field.focus()
  }
})

function load () {
  list ??= fetch(new URL(form.dataset.index, location.href)).then(answer => answer.json()).then(entries =>
    entries.map(([kind, name, place, path, text]) =>
      ({ kind, name, place, path, text, folded: fold(name), all: fold(`${name} ${place} ${text}`) })))
  return list
}

async function show () {
  const words = fold(field.value).split(' ').filter(Boolean)
  if (!words.length) return close()
  const found = (await load()).filter(entry => words.every(word => entry.all.includes(word)))
  const whole = words.join(' ')
  const rank = entry =>
    (entry.folded === whole ? 0 : entry.folded.startsWith(whole) ? 1 : entry.folded.includes(whole) ? 2 : 3) * 10 + KINDS.indexOf(entry.kind)
  found.sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name))
  results.querySelector('p').textContent = found.length
    ? results.dataset.found.replace('{count}', found.length)
    : results.dataset.nothing
  results.querySelector('ul').replaceChildren(...found.slice(0, MOST).map(item))
  results.hidden = false
}

function item (entry) {
  const link = document.createElement('a')
  link.href = form.dataset.root + entry.path
  const name = document.createElement('strong')
  name.textContent = entry.name
  const about = document.createElement('span')
  about.textContent = ` ${names[entry.kind]} · ${entry.place}`
  const text = document.createElement('small')
  text.textContent = entry.text
  text.lang = 'en'
  link.append(name, about, text)
  link.addEventListener('click', close)
  const one = document.createElement('li')
  one.append(link)
  return one
}

function move (event) {
  if (event.key === 'Escape') { close(); field.focus() }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (!step || results.hidden) return
  event.preventDefault()
  const stops = [field, ...results.querySelectorAll('a')]
  stops[Math.min(Math.max(stops.indexOf(document.activeElement) + step, 0), stops.length - 1)].focus()
}

function close () {
  results.hidden = true
}
