import { tools } from '../../../tools/index.ts'
import { iconsOf } from '../icons.ts'
import type { Kind } from './kind.ts'

/** The address of the tokens that end soon. */
export const expiringUri = 'tokens://expiring'

/** What counts as soon, days. */
export const soon = 14

const day = 86_400_000

/** The tokens that end soon unless somebody acts. */
export const expiring: Kind = {
  address: { uri: expiringUri },
  name: 'tokens-expiring',
  title: 'Tokens that end soon',
  description: `Active tokens that end within ${soon} days, at most 100, newest first; never secrets. list_magic_tokens with expires_before asks for other times.`,
  icons: iconsOf('tokens'),
  annotations: { audience: ['user', 'assistant'], priority: 0.8 },
  operation: tools.list_magic_tokens,
  idIn: (uri) => (uri === expiringUri ? '' : undefined),
  read: (run, _, now) => run(tools.list_magic_tokens, endingWithin(soon, now)),
}

/** What asks for the active tokens that end within so many days. */
export function endingWithin(days: number, now: number) {
  const expires_before = new Date(now + days * day).toISOString()
  return { status: ['active' as const], expires_before, limit: 100 }
}
