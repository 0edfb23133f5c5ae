const ascii = /^[\0-\x7f]*$/
/** Ligatures of whole sentences: one character becomes 18. */
const sentences = /[\ufdfa\ufdfb]/g
const invisible = /\p{Default_Ignorable_Code_Point}+/gu
/** The bound of Unicode's Stream-Safe Text Format (UAX #15, 13): ordering a longer run takes quadratic time. */
const longRun = /(\p{Mark}{30})\p{Mark}+/gu

/** NFKC without what nobody sees, so that no spelling hides a text. */
export function plain(text: string): string {
  return ascii.test(text)
    ? text
    : text.replace(invisible, '').replace(sentences, ' ').replace(longRun, '$1').normalize('NFKC')
}

/** A plain text in lower case, with single blanks and straight quotes. */
export function folded(plainText: string): string {
  return plainText.toLowerCase().replace(/\s+/g, ' ').replace(/[‘’]/g, "'")
}

/** Full-width forms, blanks and hyphens as ASCII; every place stays where it was in the text. */
export function flattened(text: string): string {
  if (ascii.test(text)) return text
  return text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replace(/[\u00a0\u2000-\u200a\u202f\u3000]/g, ' ')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
}
