import { patternFinder } from '../finder.ts'

const digit = '[0-9lmnp-v]'
const form = new RegExp(
  `(?<![0-9a-z])[a-z]{6}${digit}{2}[abcdehlmprst]${digit}{2}[a-z]${digit}{3}[a-z](?![0-9a-z])`,
  'gi',
)
/** What the symbols 0-9 and A-Z count at odd places; at even places they count 0-9 and 0-25. */
const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]

/** Codice fiscale (D.M. 23/12/1976): the last letter is the sum of the other 15 by 26. */
export const italy = patternFinder('italian_codice_fiscale', 'NATIONAL_ID', form, ({ 0: found }) => {
  const values = Array.from(found, (symbol) => {
    const value = Number.parseInt(symbol, 36)
    return value > 9 ? value - 10 : value
  })
  const sum = values
    .slice(0, 15)
    .reduce((total, value, at) => total + (at % 2 === 0 ? (odd[value] ?? 0) : value), 0)
  return sum % 26 === values[15]
})
