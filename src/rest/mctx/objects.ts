import { z } from 'zod'
import { shared } from '../../core/fields.ts'
import type { WideTokenView } from '../../core/views/wide-token.ts'

const time = z.string().describe('YYYY-MM-DDTHH:MM:SS.mmmZ')

const scope = z.object({ server_id: z.string(), server_name: z.string(), server_slug: z.string() })

/** A token (mctx:token:object:*). */
export const token = z.object({
  id: z.string(),
  name: z.string().nullable(),
  prefix: z.string().describe('The first 12 characters of the secret.'),
  status: z.enum(['active', 'disabled', 'expired', 'revoked']),
  expires_at: time.nullable(),
  allowed_ips: z.array(z.string()).nullable().describe('null = any address.'),
  all_servers: z.boolean(),
  scopes: z.array(scope).describe('The servers it reaches now.'),
  last_used_at: time.nullable(),
  created_at: time,
  revoked_at: time.nullable(),
})

shared.add(token, { id: 'MctxToken' })

/** A token with the secret it was just given. */
export const newToken = z.object({
  token: z.string().describe('The secret; shown this once.'),
  ...token.shape,
})

shared.add(newToken, { id: 'MctxNewToken' })

/** A page of the list. */
export const tokenList = z.object({
  tokens: z.array(token),
  next_cursor: z.string().nullable().describe('null at the end.'),
})

export function tokenOf(view: WideTokenView): z.input<typeof token> {
  return {
    id: view.id,
    name: view.name,
    prefix: view.prefix,
    status: view.status,
    expires_at: view.expires_at,
    allowed_ips: view.allowed_ips,
    all_servers: view.access.all_servers,
    scopes: (view.reach ?? []).map(({ id, name, slug }) => ({
      server_id: id,
      server_name: name || slug,
      server_slug: slug,
    })),
    last_used_at: view.last_used_at,
    created_at: view.created_at,
    revoked_at: view.revoked_at,
  }
}

/** As `tokenOf`, where a secret was just made. */
export function newTokenOf(view: WideTokenView, { secret = '' }: { secret?: string | undefined }) {
  return { token: secret, ...tokenOf(view) }
}
