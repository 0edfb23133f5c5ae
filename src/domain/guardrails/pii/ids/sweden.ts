import { digitsOf, isDay, luhn } from '../check-digits.ts'
import { isCalled, patternFinder } from '../finder.ts'

const form = /(?<![\w.+-])(?:(?:18|19|20)\d{6}-?|\d{6}[+-]?)\d{4}(?![\w-]|\.\d)/g
const words = /person(?:al)?[ -]?(?:identity )?(?:nummer|number|nr)|samordningsnummer|\bpnr\b/i

/**
 * Personnummer (Folkbokföringslagen 18 §): a day and four digits, with the check digit of Luhn over the last ten. 60 is
 * added to the day of a samordningsnummer. Without the hyphen it could be a time, so it must be called one.
 */
export const sweden = patternFinder(
  'swedish_personnummer',
  'NATIONAL_ID',
  form,
  ({ 0: found, index }, leaf) => {
    const digits = digitsOf(found).slice(-10)
    const [year, month, day] = [0, 2, 4].map((at) => Number(digits.slice(at, at + 2).join('')))
    if (year === undefined || month === undefined || day === undefined || !luhn(digits)) return false
    if (!isDay(2000 + year, month, day > 60 ? day - 60 : day)) return false
    return /[+-]/.test(found) || isCalled(words, leaf, index)
  },
)
