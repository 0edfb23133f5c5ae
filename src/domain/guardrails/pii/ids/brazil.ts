import { digitsOf, weighted } from '../check-digits.ts'
import { isCalled, patternFinder } from '../finder.ts'

const form = /(?<![\w.-])(?:\d{3}\.\d{3}\.\d{3}-\d\d|\d{9}-?\d\d)(?![\w-]|\.\d)/g
const words = /\bcpf\b/i

/** CPF (Receita Federal): two check digits by 11; a number of one digit eleven times was never given out. */
export const brazil = patternFinder('brazilian_cpf', 'NATIONAL_ID', form, ({ 0: found, index }, leaf) => {
  const digits = digitsOf(found)
  if (new Set(digits).size === 1) return false
  const isSound = [9, 10].every((place) => {
    const sum = weighted(
      digits,
      Array.from({ length: place }, (_, at) => place + 1 - at),
    )
    return ((sum * 10) % 11) % 10 === digits[place]
  })
  return isSound && (!leaf.number || isCalled(words, leaf, index))
})
