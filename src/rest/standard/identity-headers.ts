import type { Identity } from '../../core/identity.ts'

/**
 * Who a request comes from, as the headers a proxy hands on. All of them are always there, empty where a token has none: a
 * proxy that copies them overwrites whatever its client claimed to be.
 */
export function identityHeaders({
  id,
  name,
  owner_id,
  project_id,
  groups,
  expires_at,
}: Identity): Record<string, string> {
  return {
    'x-auth-token-id': id,
    'x-auth-token-name': visible(name ?? ''),
    'x-auth-token-owner': owner_id ?? '',
    'x-auth-token-project': project_id ?? '',
    'x-auth-token-groups': groups.join(','),
    'x-auth-token-expires-at': expires_at ?? '',
  }
}

const hidden = /[^\x21-\x24\x26-\x7e]+/g

/** Text others wrote as visible ASCII, the rest percent-encoded as UTF-8, so that it can neither end a header nor begin one. */
function visible(text: string): string {
  return text.replace(hidden, (part) => Buffer.from(part).toString('hex').replace(/../g, '%$&'))
}
