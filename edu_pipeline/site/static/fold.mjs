// Texts as they are compared: without accents, in lower case, ligatures and joints opened.

export function fold (text) {
  return text
    .normalize('NFD').replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('œ', 'oe').replaceAll('æ', 'ae')
    .replace(/[\s'’_-]+/g, ' ')
    .trim()
}
