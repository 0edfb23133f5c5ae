import { patternFinder } from '../finder.ts'

const form =
  /(?<![0-9a-z.])[1-478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d) ?(?:\d\d|2[ab]) ?\d{3} ?\d{3} ?\d\d(?![0-9a-z])/gi

/** NIR (INSEE, décret 82-103): the key is 97 less the remainder of the number; 2A and 2B of Corsica count as 19 and 18. */
export const france = patternFinder('french_nir', 'NATIONAL_ID', form, ({ 0: found }) => {
  const id = found.replaceAll(' ', '').toUpperCase()
  const number = Number(id.slice(0, 13).replace('2A', '19').replace('2B', '18'))
  return 97 - (number % 97) === Number(id.slice(13))
})
