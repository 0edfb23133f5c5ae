import { mask } from '../../domain/server-values.ts'

/** Shorter values stand in every second line by chance. */
const shortestHidden = 8

/** Shows texts without certain values. */
export interface Hiding {
  /** The first characters of a text; a value that begins in there is hidden to its end. */
  show(text: string, most: number): string
  /** Characters of the longest value that is hidden. */
  readonly longest: number
}

/** Hides values, also where they come line by line or escaped; what that costs does not grow with their number. */
export function makeHiding(values: readonly string[]): Hiding {
  const texts = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    ...value.split(/\r?\n/),
  ])
  const hidden = [...new Set(texts)]
    .filter(({ length }) => length >= shortestHidden)
    .sort((a, b) => b.length - a.length)
  const byStart = new Map<string, string[]>()
  for (const one of hidden) {
    const start = one.slice(0, shortestHidden)
    const alike = byStart.get(start)
    alike === undefined ? byStart.set(start, [one]) : alike.push(one)
  }

  return {
    longest: hidden[0]?.length ?? 0,
    show(text, most) {
      if (byStart.size === 0) return text.slice(0, most)
      let told = ''
      let from = 0
      for (let at = 0; at < most && at < text.length; ) {
        const here = at
        const value = byStart
          .get(text.slice(at, at + shortestHidden))
          ?.find((one) => text.startsWith(one, here))
        if (value === undefined) at += 1
        else {
          told += text.slice(from, at) + mask
          at += value.length
          from = at
        }
      }
      return told + text.slice(from, most)
    },
  }
}
