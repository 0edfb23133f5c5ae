import { patternFinder } from '../finder.ts'

const form = /(?<![0-9a-z.])(?:\d{8}|\d\d\.\d{3}\.\d{3}|[xyz][ -]?\d{7})[ -]?[a-z](?![0-9a-z])/gi
const letters = 'TRWAGMYFPDXBNJZSQVHLCKE'

/** DNI and NIE: the letter is the number's remainder by 23; X, Y, Z stand for 0, 1, 2 (Orden INT/2058/2008). */
export const spain = patternFinder('spanish_dni', 'NATIONAL_ID', form, ({ 0: found }) => {
  const id = found.replace(/[ .-]/g, '').toUpperCase()
  const number = Number(id.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))))
  return letters.charAt(number % 23) === id.slice(-1)
})
