import { digitsOf, luhn } from './check-digits.ts'
import { patternFinder } from './finder.ts'

/** Digits in one run, or in the groups that are embossed: 4-4-4-4, with up to three more, 4-6-5 and 4-6-4. */
const form =
  /(?<![\w-]|\d[.,])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)/g

/** Who issues which numbers, and their lengths (ISO/IEC 7812-1 and what the card schemes publish). */
const issuers: readonly [prefix: RegExp, lengths: readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:30[0-5]|3[689])/, [14, 15, 16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(?:220[0-4]|6011|64[4-9]|65|62|81)/, [16, 17, 18, 19]],
  [/^(?:50|5[6-8]|6)/, [16, 18, 19]],
]

/** Payment cards: the prefix and length of an issuer, and the check digit of Luhn. */
export const card = patternFinder('payment_card', 'CARD', form, ({ 0: found }) => {
  const digits = digitsOf(found)
  const number = digits.join('')
  return (
    issuers.some(([prefix, lengths]) => prefix.test(number) && lengths.includes(digits.length)) &&
    luhn(digits)
  )
})
