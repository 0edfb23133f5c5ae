import { randomInt } from 'node:crypto'

const suffixDigits = 'abcdefghijklmnopqrstuvwxyz0123456789'

/**
 * The slug of a server before it is made unique: the lower-case name with every character other than a-z0-9
 * turned into `-`, one for one; `server` without a name (metorial:servers:object:slug,
 * enkrypt:servers:object:slug).
 */
export function slugOf(name: string | null): string {
  return name === null || name === '' ? 'server' : dashed(name)
}

/**
 * The slug of a group: its name in the same way, `-` and 6 random characters a-z0-9 (metorial:groups:object:slug).
 */
export function groupSlug(name: string): string {
  const suffix = Array.from({ length: 6 }, () => suffixDigits.charAt(randomInt(suffixDigits.length)))
  return `${dashed(name)}-${suffix.join('')}`
}

function dashed(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/gu, '-')
}
