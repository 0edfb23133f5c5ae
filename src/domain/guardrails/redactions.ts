import { mapTexts } from './walk.ts'

/** What was taken out of one call: which placeholder stands for which text of the caller. */
export interface Redactions {
  readonly originals: Map<string, string>
  readonly placeholders: Map<string, string>
  readonly counts: Map<string, number>
  /** Placeholders that already mean something, or that somebody wrote. */
  readonly taken: Set<string>
}

/** What stands in the place of a text that was taken out. */
export const placeholder = /<[A-Z]{2,12}(?:_[A-Z]{2,12})?_\d{1,7}>/g
/** Also as programs write `<` in JSON or HTML within a text. */
const written = /(?:<|\\u003c|&lt;)([A-Z]{2,12}(?:_[A-Z]{2,12})?_\d{1,7})(?:>|\\u003e|&gt;)/gi
/** An answer of placeholders alone would be many times as long once they are restored. */
const mostGrowth = 1_048_576

/** The memory of one call. */
export function newRedactions(): Redactions {
  return { originals: new Map(), placeholders: new Map(), counts: new Map(), taken: new Set() }
}

/** A memory for an answer: it makes no placeholder that the call knows, so restoring the call's texts meets none of its own. */
export function apartFrom(call: Redactions): Redactions {
  return { ...newRedactions(), taken: new Set(call.taken) }
}

/** Keeps placeholders that stand in a text literally from being given to something else. */
export function reserve(text: string, { taken }: Redactions): void {
  if (!text.includes('<')) return
  for (const [literal] of text.matchAll(placeholder)) taken.add(literal)
}

/** The placeholder of a text, such as `<EMAIL_1>`: the same each time within one memory. */
export function placeholderOf(kind: string, original: string, memory: Redactions): string {
  const key = `${kind} ${original}`
  const known = memory.placeholders.get(key)
  if (known !== undefined) return known
  let count = memory.counts.get(kind) ?? 0
  let made: string
  do made = `<${kind}_${++count}>`
  while (memory.taken.has(made))
  memory.counts.set(kind, count)
  memory.placeholders.set(key, made)
  memory.originals.set(made, original)
  memory.taken.add(made)
  return made
}

/**
 * Puts the caller's own texts back into an answer. A placeholder the call never made stays as it is, so an upstream gets
 * nothing into an answer but what this caller sent in this call.
 */
export function restore(value: unknown, { originals }: Redactions): unknown {
  if (originals.size === 0) return value
  let growth = 0
  return mapTexts(value, (text) =>
    typeof text === 'number'
      ? text
      : text.replace(written, (whole, name: string) => {
          const original = originals.get(`<${name}>`)
          growth += Math.max(0, (original?.length ?? 0) - whole.length)
          return original === undefined || growth > mostGrowth ? whole : original
        }),
  )
}
