/**
 * `value` in base 62, left padded with `0` to exactly `width` characters. The digits stand in ASCII order, so
 * byte order of equally wide texts is numeric order. Throws RangeError when `value` is negative or does not
 * fit.
 */
export function encodeBase62(value: bigint, width: number): string {
  let text = ''
  let rest = value
  while (rest > 0n) {
    text = base62Digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  if (rest < 0n || text.length > width) throw new RangeError(`value does not fit ${width} base62 digits`)
  return text.padStart(width, '0')
}

export const base62Digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
