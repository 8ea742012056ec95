// What our scripts share: making elements, the page's texts, reading JSON.

/** The texts of the page in its language, from the element with id "texts"; {name} stands for a value. */
const texts = JSON.parse(document.getElementById('texts').textContent)

export const language = document.documentElement.lang

export function text (name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key])
}

/** An element with attributes (a function is a listener; null is left out) and children (text or elements). */
export function element (tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value)
    else if (value !== null && value !== undefined) made.setAttribute(name, value)
  }
  made.append(...children.filter(child => child !== null && child !== undefined))
  return made
}

const asWritten = new Intl.NumberFormat(language, { maximumFractionDigits: 7 })

/** A number as it is written in the page's language, with all its digits; a dash if there is none. */
export function number (value) {
  return value === null || value === undefined ? '–' : asWritten.format(value)
}

const read = new Map()

/** The content of a JSON file of the site, read once. `root` is the address of the site's root. */
export function json (root, path) {
  if (!read.has(path)) {
    read.set(path, fetch(new URL(path, root)).then(answer => {
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
      return answer.json()
    }))
  }
  return read.get(path)
}
