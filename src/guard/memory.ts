import { createHash } from 'node:crypto'
import type { Ask, Question, Told } from './ask.ts'

const mostEntries = 1_000

/**
 * Remembers that a token is good for so many milliseconds from the question on, and at most 1,000 such answers, oldest
 * out. A no is asked for again each time, so that a token that is made good works at once and bad ones push nothing out.
 */
export function remembering(ask: Ask, ms: number): Ask {
  const entries = new Map<string, { told: Told; until: number }>()
  return async (question) => {
    const now = performance.now()
    const key = keyOf(question)
    const known = entries.get(key)
    if (known !== undefined && now < known.until) return known.told
    entries.delete(key)
    const told = await ask(question)
    const until = now + Math.min(ms, remaining(told))
    if (until <= now) return told
    entries.delete(key)
    const oldest = entries.keys().next()
    if (entries.size >= mostEntries && oldest.done !== true) entries.delete(oldest.value)
    entries.set(key, { told, until })
    return told
  }
}

/** Milliseconds an answer can hold; each use of a limited token must be counted where it is asked for. */
function remaining(told: Told): number {
  if (!told.active || told.limit !== null) return 0
  return told.exp === null ? Number.POSITIVE_INFINITY : told.exp * 1_000 - Date.now()
}

// Nobody who reads the memory of the process finds a token here, and every key is as short.
function keyOf({
  token,
  server,
  tool = null,
  ip,
}: { tool?: string | null } & Omit<Question, 'tool'>): string {
  return createHash('sha256')
    .update(JSON.stringify([token, server, tool, ip]))
    .digest('base64')
}
