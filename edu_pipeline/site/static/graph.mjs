// Graphs: a box under the pointer, or with the focus, shows all that leads to it and all that follows from it.

for (const svg of document.querySelectorAll('.graph svg')) {
  const curves = [...svg.querySelectorAll('.curve')]
  for (const node of svg.querySelectorAll('.node')) {
    for (const event of ['pointerenter', 'focus']) node.addEventListener(event, () => mark(svg, curves, node.dataset.name))
    for (const event of ['pointerleave', 'blur']) node.addEventListener(event, () => unmark(svg))
  }
  const current = svg.querySelector('[aria-current] rect')
  if (current) svg.parentElement.scrollLeft = current.x.baseVal.value - svg.parentElement.clientWidth / 3
}

function mark (svg, curves, name) {
  unmark(svg)
  const names = new Set([name])
  for (const [here, there] of [['from', 'to'], ['to', 'from']]) {
    const pending = [name]
    const seen = new Set(pending)
    while (pending.length) {
      const current = pending.pop()
      for (const curve of curves.filter(curve => curve.dataset[here] === current)) {
        curve.classList.add('marked')
        const next = curve.dataset[there]
        names.add(next)
        if (!seen.has(next)) { seen.add(next); pending.push(next) }
      }
    }
  }
  for (const node of svg.querySelectorAll('.node')) node.classList.toggle('marked', names.has(node.dataset.name))
  svg.classList.add('marking')
}

function unmark (svg) {
  svg.classList.remove('marking')
  for (const marked of svg.querySelectorAll('.marked')) marked.classList.remove('marked')
}
