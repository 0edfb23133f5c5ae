import { digitsOf, weighted } from '../check-digits.ts'
import { isCalled, patternFinder } from '../finder.ts'

const form = /(?<![\w.-])(?:\d{9}|\d{4}\.\d\d\.\d{3})(?![\w-]|\.\d)/g
const words = /\bbsn\b|burgerservice|sofi-?nummer/i

/** BSN (the elfproef of the Regeling aanpassing BSN): one of eleven numbers passes, so it must have dots or be called one. */
export const netherlands = patternFinder('dutch_bsn', 'NATIONAL_ID', form, ({ 0: found, index }, leaf) => {
  const sum = weighted(digitsOf(found), [9, 8, 7, 6, 5, 4, 3, 2, -1])
  return sum > 0 && sum % 11 === 0 && (found.includes('.') || isCalled(words, leaf, index))
})
