import { wellFormed } from './secret.ts'

/** Characters behind the prefix and its underscore. */
const bodyLength = 43
const longestPrefix = 8

/** A secret of ours in other bytes; `line` counts from 1, and is null in what is no text. */
export interface Sighting {
  secret: string
  line: number | null
}

/** Looks for secrets in bytes that come in pieces; it keeps no more of them than a secret is long. */
export interface SecretScan {
  push(piece: Buffer): Sighting[]
}

/**
 * Finds by prefix and checksum whatever stands around it. NUL bytes do not count, so that UTF-16 is read as well; what
 * is compressed or encoded otherwise is not.
 */
export function makeSecretScan(prefixes: readonly string[]): SecretScan {
  // The longer ones first, or a prefix that is the end of another would hide it.
  const words = [...prefixes].sort((a, b) => b.length - a.length)
  const pattern = new RegExp(`(?:${words.join('|')})_[0-9A-Za-z]{${bodyLength}}`, 'g')
  let kept = ''
  let line = 1
  let isText = true

  return {
    push(piece) {
      const hasNul = piece.includes(0)
      if (hasNul) isText = false
      const fresh = piece.toString('latin1')
      const text = kept + (hasNul ? fresh.replaceAll('\0', '') : fresh)
      const found: Sighting[] = []
      let counted = 0
      let over = 0
      const lineAt = (at: number) => {
        line += newlines(text, counted, at)
        counted = at
        return line
      }
      pattern.lastIndex = 0
      for (let hit = pattern.exec(text); hit !== null; hit = pattern.exec(text)) {
        const [secret] = hit
        if (!wellFormed(secret)) {
          pattern.lastIndex = hit.index + 1
          continue
        }
        over = pattern.lastIndex
        const at = lineAt(hit.index)
        found.push({ secret, line: isText ? at : null })
      }
      const rest = Math.max(over, text.length - longestPrefix - bodyLength, 0)
      lineAt(rest)
      kept = text.slice(rest)
      return found
    },
  }
}

function newlines(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) count += 1
  return count
}
