import type { FoundIdentity, FoundToken, Lookups } from '../../db/lookup.ts'
import type { Verified } from './verify.ts'

/** Who comes with a secret that was judged, for whoever lets it in. Times are ISO 8601 UTC. */
export interface Identity {
  id: string
  kind: 'access' | 'user_key'
  name: string | null
  owner_id: string | null
  owner_email: string | null
  project_id: string | null
  project_name: string | null
  /** Slugs, in the order of their bytes. */
  groups: string[]
  /** Slugs of the servers it reaches now; present where they were asked for. */
  servers?: string[]
  created_at: string
  not_before: string | null
  /** The end of the secret that was judged: of a replaced one, that of its grace. */
  expires_at: string | null
}

/**
 * The identity behind a verdict, in one look-up; undefined where there is none: an unknown secret, a management key, a
 * token that is gone since.
 */
export async function identityOf(
  { lookups }: { lookups: Lookups },
  { token, predecessor }: Verified,
  { servers = false } = {},
): Promise<Identity | undefined> {
  if (token === undefined || token.kind === 'management') return undefined
  const finding = servers ? lookups.identityAndReach([token.id]) : lookups.identity([token.id])
  // Waiting for what is there already would cost a turn of the event loop's queue for each request.
  const found = finding instanceof Promise ? await finding : finding
  return found === undefined ? undefined : made(token, token.kind, predecessor, found)
}

function made(
  token: FoundToken,
  kind: Identity['kind'],
  predecessor: boolean,
  { groups, servers, created_at, owner_email, project_name }: FoundIdentity,
): Identity {
  const { id, name, owner_id, project_id, not_before } = token
  const expires_at = predecessor ? earlier(token.previous_until, token.expires_at) : token.expires_at
  const identity: Identity = {
    id,
    kind,
    name,
    owner_id,
    owner_email,
    project_id,
    project_name,
    groups: listed(groups),
    created_at,
    not_before,
    expires_at,
  }
  if (servers !== undefined) identity.servers = listed(servers)
  return identity
}

function earlier(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other
  return one < other ? one : other
}

function listed(slugs: string | null): string[] {
  return slugs === null ? [] : slugs.split(' ')
}
