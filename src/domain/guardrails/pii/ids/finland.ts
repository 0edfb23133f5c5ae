import { isDay } from '../check-digits.ts'
import { patternFinder } from '../finder.ts'

const form = /(?<![0-9a-z.-])(\d\d)(\d\d)(\d\d)([+\-a-fu-y])(\d{3})([0-9a-y])(?![0-9a-z-])/gi
const symbols = '0123456789ABCDEFHJKLMNPRSTUVWXY'

/** HETU (VNA 128/2010, signs of 2023): a day, the sign of its century, a number, and the remainder of both by 31. */
export const finland = patternFinder('finnish_hetu', 'NATIONAL_ID', form, (match) => {
  const [, day = '', month = '', year = '', sign = '', number = '', check = ''] = match
  const century = sign === '+' ? 1800 : /[a-f]/i.test(sign) ? 2000 : 1900
  if (!isDay(century + Number(year), Number(month), Number(day))) return false
  return symbols.charAt(Number(day + month + year + number) % 31) === check.toUpperCase()
})
