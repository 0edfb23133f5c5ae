import type { Identity } from '../../core/identity.ts'

/** Who a request comes from, as the headers a proxy hands on; what a token has not is left out. */
export function identityHeaders({
  id,
  name,
  owner_id,
  project_id,
  groups,
  expires_at,
}: Identity): Record<string, string> {
  const headers: Record<string, string> = { 'x-auth-token-id': id }
  if (name) headers['x-auth-token-name'] = visible(name)
  if (owner_id !== null) headers['x-auth-token-owner'] = owner_id
  if (project_id !== null) headers['x-auth-token-project'] = project_id
  if (groups.length > 0) headers['x-auth-token-groups'] = groups.join(',')
  if (expires_at !== null) headers['x-auth-token-expires-at'] = expires_at
  return headers
}

/** Text others wrote as visible ASCII, the rest percent-encoded as UTF-8, so that it can neither end a header nor begin one. */
function visible(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]+/g, (part) =>
    Buffer.from(part).toString('hex').replace(/../g, '%$&'),
  )
}
