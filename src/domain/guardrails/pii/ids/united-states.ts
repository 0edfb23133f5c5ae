import { isCalled, patternFinder } from '../finder.ts'

const form = /(?<![\w.-])(\d{3})([ -]?)(\d\d)\2(\d{4})(?![\w-]|\.\d)/g
const words = /\bssn\b|social security/i
/** Numbers that were printed in advertisements. */
const published = new Set(['078051120', '219099999'])

/**
 * Social security numbers by the rules of their parts (SSA, POMS RM 10201.035); they have no check digit, so without
 * hyphens one must be called so.
 */
export const unitedStates = patternFinder('us_ssn', 'NATIONAL_ID', form, (match, leaf) => {
  const [, area = '', separator, group = '', serial = ''] = match
  if (area === '000' || area === '666' || area >= '900' || group === '00' || serial === '0000') return false
  if (published.has(area + group + serial)) return false
  return separator === '-' || isCalled(words, leaf, match.index)
})
