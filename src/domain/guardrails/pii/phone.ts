import { type PiiFinder, type Span, spaced } from './finder.ts'

/** `+` and 8 to 15 digits (ITU-T E.164) in any grouping. */
const international = /(?<![\w+])\+[1-9](?:[ ./()-]{0,2}\d){7,14}(?!\d)/g
/** Forms that are written so in one country or more, and hardly mean anything else. */
const national: readonly RegExp[] = [
  // 00 44 20 7946 0958: the prefix for abroad, set apart.
  /(?<![\w+.-])00[ -]?[1-9]\d{0,2}[ -](?:[ ()-]{0,2}\d){6,12}(?!\d)/g,
  // (415) 555-2671, 415-555-2671, 415.555.2671, 1-415-555-2671: North America.
  /(?<![\w+.-])(?:1[ .-])?(?:\([2-9]\d\d\) ?\d{3}[ .-]|[2-9]\d\d([.-])\d{3}\1)\d{4}(?![\w-]|\.\d)/g,
  // 06 12 34 56 78: France.
  /(?<![\w+.-])0[1-9]([ .-])\d\d(?:\1\d\d){3}(?![\w-]|[ .]\d)/g,
  // 020 7946 0958, 0161 496 0018, 07700 900123: Great Britain and Ireland.
  /(?<![\w+.-])\(?0(?:\d\d\)? \d{4} \d{4}|\d{3}\)? \d{3} \d{3,4}|[1-9]\d{3}\)? \d{6})(?![\w-]|[ .]\d)/g,
  // 030/1234567, 0171-2345678: Germany, Austria, Switzerland.
  /(?<![\w+./-])0[1-9]\d{1,3}[/-]\d{6,8}(?![\w-]|[./]\d)/g,
  // 03-1234-5678, 090-1234-5678: Japan and Korea.
  /(?<![\w+.-])0\d{1,2}-\d{3,4}-\d{4}(?![\w-]|\.\d)/g,
]
const words =
  /\b(?:tele)?(?:phone|fon|fono|fax|tel|tél|tlf)(?: ?(?:number|nummer|no|nr))?\b|\b(?:mobile|m[oó]vil|handy|whatsapp|msisdn)\b/gi
/** Any number that is called one, such as `tel: 612 345 678`. */
const called = /[\s:.#(=]{0,4}(?:is |number |nr\.? |no\.? )?\(?\d(?:[ ./()-]{0,2}\d){6,14}(?!\d)/y
const bare = /^\s{0,9}\(?\d(?:[ ./()-]{0,2}\d){6,14}\s{0,9}$/
const grouped = /\d{3}/
const date = /^\D*(?:\d{4}([-/.])\d\d?\1\d\d?|\d\d?([-/.])\d\d?\2\d{4})/

/** Phone numbers by their form, or by what they are called; a bare run of digits without a name is none. */
export const phone: PiiFinder = {
  name: 'phone',
  kind: 'PHONE',
  find(text, leaf) {
    const spans = [
      ...Array.from(text.matchAll(international), spanOf).filter(({ start, end }) =>
        grouped.test(text.slice(start, end)),
      ),
      ...national.flatMap((form) => Array.from(text.matchAll(form), spanOf)),
      ...Array.from(text.matchAll(words)).flatMap((word) => after(text, word.index + word[0].length)),
    ]
    if (bare.test(text) && !date.test(text) && spaced(leaf.name).search(words) !== -1)
      spans.push({ start: 0, end: text.length })
    return spans
  },
}

function spanOf({ 0: { length }, index }: RegExpMatchArray): Span {
  return { start: index ?? 0, end: (index ?? 0) + length }
}

function after(text: string, place: number): Span[] {
  called.lastIndex = place
  const match = called.exec(text)
  if (match === null || date.test(match[0])) return []
  return [{ start: place + match[0].search(/\(?\d/), end: place + match[0].length }]
}
