import { AppError } from '../../core/errors.ts'
import { defaultSettings } from '../../domain/settings.ts'
import { operationNamed } from '../catalog.ts'
import type { Session } from '../world.ts'
import { type Found, shownOf } from './found.ts'

/** What is known of a secret that was found; `live` and what follows are null where nobody was asked. */
export interface Judged {
  prefix: string
  last4: string
  live: boolean | null
  verdict: string | null
  kind: string | null
  id: string | null
  name: string | null
  places: { path: string; line: number | null; commit: string | null }[]
  places_total: number
  /** What report_leak did, where it was asked to. */
  reported: string | null
}

/** The prefixes to look for: the usual ones, those of the instance, and what the caller names. */
export async function prefixesOf(session: Session | undefined, more: readonly string[]): Promise<string[]> {
  const { token_prefix, key_prefix } = defaultSettings
  return [...new Set([token_prefix, key_prefix, ...(await ownPrefixes(session)), ...more])]
}

async function ownPrefixes(session: Session | undefined): Promise<string[]> {
  if (session === undefined) return []
  try {
    const answer = await session.call(operationNamed('get_settings'), {})
    const { settings } = answer as { settings: { token_prefix: string; key_prefix: string } }
    return [settings.token_prefix, settings.key_prefix]
  } catch (error) {
    // A credential that may check secrets need not see the settings.
    if (error instanceof AppError && error.code === 'forbidden') return []
    throw error
  }
}

const batch = 100

/** Says of each secret whose it is and whether it is live; without a session nobody is asked. */
export async function judge(session: Session | undefined, found: readonly Found[]): Promise<Judged[]> {
  const judged: Judged[] = []
  for (let at = 0; at < found.length; at += batch) {
    const some = found.slice(at, at + batch)
    const known = session === undefined ? [] : await check(session, some)
    for (const [place, one] of some.entries()) {
      const nothing = { live: null, verdict: null, kind: null, id: null, name: null }
      const { live, verdict, kind, id, name } = known[place] ?? nothing
      const { places_total } = one
      const places = one.places.map(({ path, line, commit }) => ({ path, line, commit }))
      judged.push({
        ...shownOf(one.secret),
        live,
        verdict,
        kind,
        id,
        name,
        places,
        places_total,
        reported: null,
      })
    }
  }
  return judged
}

async function check(session: Session, some: readonly Found[]): Promise<Judged[]> {
  const secrets = some.map(({ secret }) => secret)
  return ((await session.call(operationNamed('check_secrets'), { secrets })) as { secrets: Judged[] }).secrets
}

/** Reports one to the instance; a new secret that came of it is not shown here, and rotate_token hands out another. */
export async function report(session: Session, { secret, places }: Found): Promise<string> {
  const [first] = places
  const where =
    first === undefined
      ? ''
      : placeText(first)
          .replace(/[\p{C}]/gu, '')
          .slice(0, 500)
  const input = where === '' ? { secret } : { secret, where }
  return ((await session.call(operationNamed('report_leak'), input)) as { result: string }).result
}

/** A place as people write it: `commit:path:line`. */
export function placeText({ commit, path, line }: Judged['places'][number]): string {
  return [commit?.slice(0, 12), path, line].filter((part) => part !== null && part !== undefined).join(':')
}
