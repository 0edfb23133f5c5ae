import { expiring } from './expiring.ts'
import { group } from './group.ts'
import type { Kind } from './kind.ts'
import { token } from './token.ts'
import { tokenAudit } from './token-audit.ts'

/** Every kind of resource, in the order clients are shown them. */
export const kinds: readonly Kind[] = [expiring, token, group, tokenAudit]

/** The kind and the id behind an address. */
export function kindOf(uri: string): { kind: Kind; id: string } | undefined {
  for (const kind of kinds) {
    const id = kind.idIn(uri)
    if (id !== undefined) return { kind, id }
  }
  return undefined
}
