import { digitsOf, isDay, weighted } from '../check-digits.ts'
import { isCalled, patternFinder } from '../finder.ts'

const form = /(?<![\w.-])\d{11}(?![\w-]|\.\d)/g
const words = /pesel/i

/** PESEL (ustawa o ewidencji ludności, art. 15): a day of birth, the century in the month, and a check digit. */
export const poland = patternFinder('polish_pesel', 'NATIONAL_ID', form, ({ 0: found, index }, leaf) => {
  const digits = digitsOf(found)
  const [year, month, day] = [found.slice(0, 2), found.slice(2, 4), found.slice(4, 6)].map(Number)
  if (year === undefined || month === undefined || day === undefined) return false
  const century = [1900, 2000, 2100, 2200, 1800][Math.floor(month / 20)] ?? 0
  const isSound = weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
  return isSound && isDay(century + year, month % 20, day) && (!leaf.number || isCalled(words, leaf, index))
})
