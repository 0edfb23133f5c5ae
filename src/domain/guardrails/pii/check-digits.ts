/** The digits of a text; everything else is left out. */
export function digitsOf(text: string): number[] {
  return Array.from(text.replace(/\D/g, ''), Number)
}

/** The formula of Luhn (ISO/IEC 7812-1, annex B): every second digit from the right counts twice. */
export function luhn(digits: readonly number[]): boolean {
  const sum = digits.reduceRight((total, digit, at) => {
    const twice = (digits.length - at) % 2 === 0
    return total + (twice ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit)
  }, 0)
  return sum % 10 === 0
}

/** The sum of digits times weights; digits beyond the weights do not count. */
export function weighted(digits: readonly number[], weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * (digits[at] ?? 0), 0)
}

/** The remainder by 97 of digits and letters, A as 10 to Z as 35 (ISO/IEC 7064, MOD 97-10). */
export function mod97(text: string): number {
  let rest = 0
  for (const symbol of text) {
    const value = Number.parseInt(symbol, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest
}

/** Whether a day is in the calendar. */
export function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return month >= 1 && month <= 12 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
