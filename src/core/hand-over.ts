import { createHmac } from 'node:crypto'
import * as links from '../../db/links.ts'
import { findTokens } from '../../db/lookup.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { digest } from '../domain/secret.ts'
import type { DeliveryKind } from '../domain/settings.ts'
import { judge } from '../domain/verdict.ts'
import { may } from './actor.ts'
import { unauthenticated } from './authenticate.ts'
import type { Context } from './context.ts'
import { type Asker, chooseDelivery, type Page } from './delivery.ts'
import { AppError } from './errors.ts'
import type { Core } from './invoke.ts'
import { signedIn } from './signed-in.ts'
import { policyFor } from './token-policy.ts'
import { candidateOf } from './verify.ts'

type Subject = Pick<TokenRow, 'name' | 'project_id'>

/**
 * Asks the person behind the client to collect a new secret on a page of ours, where the client can and a link would be
 * made; undefined = a link it is. Called in `prepare`, before anything is changed. Throws `conflict` where they refuse.
 */
export async function offerPage(
  ctx: Context,
  asked: DeliveryKind | undefined,
  subjectOf: () => Promise<Subject>,
): Promise<Page | undefined> {
  const { dialogue, host } = ctx
  if (dialogue?.visit === undefined) return undefined
  const { name, project_id } = await subjectOf()
  if (chooseDelivery(ctx, asked, await policyFor(ctx, project_id)) !== 'link') return undefined
  const base = await host.revealBase()
  if (base === null) return undefined
  const id = pageId(ctx.keys.conversation, dialogue.nonce)
  const url = `${base.replace(/\/$/, '')}/hand-over/${id}`
  const { action } = await dialogue.visit({ key: id, url, message: messageOf(name) })
  if (action === 'decline' || dialogue.signal.aborted) throw declined()
  await refuseEnded(ctx)
  return action === 'accept' ? { id, url } : undefined
}

/** The same for the call that comes again with the answer. */
function pageId(key: Buffer, nonce: string): string {
  return createHmac('sha256', key).update(`hand-over ${nonce}`).digest('base64url').slice(0, 32)
}

function messageOf(name: string | null): string {
  const secret = name === null ? 'the new secret' : `the new secret of “${name}”`
  return `Collect ${secret} on this page of Tokenwright: it asks you to sign in, and shows the secret once within 10 minutes.`
}

function declined(): AppError {
  return new AppError(
    'conflict',
    'The user declined to collect the secret; nothing was changed. Ask them how they want to get it, and name another delivery.',
    { field: 'delivery', reason: 'declined' },
  )
}

/** A person may take minutes to answer; a credential that was ended in the meantime changes nothing any more. */
async function refuseEnded({ db, actor, ip, now }: Context): Promise<void> {
  if (actor.kind !== 'management' && actor.kind !== 'user_key' && actor.kind !== 'access') return
  const [row] = await findTokens(db, [actor.id])
  const isCurrent = !('generation' in actor) || actor.generation === row?.generation
  if (row === undefined || !isCurrent || judge(candidateOf(row), { now, ip }) !== 'valid')
    throw unauthenticated()
}

/** Whether the caller is whoever asked for the secret, or stands for them (security R7). */
export async function mayCollect(ctx: Context, link: links.LinkRow): Promise<boolean> {
  const { actor } = ctx
  if (link.asked_by === null) return true
  const asker = askerIn(link.asked_by)
  const token = await tokens.find(ctx.db, ctx.scope, link.token_id)
  if (token === undefined) return false
  switch (actor.kind) {
    case 'local':
      return may(actor, 'tokens:write')
    case 'management':
      if (!may(actor, 'tokens:write')) return false
      return asker.kind !== 'management' || asker.id === actor.id || actor.role === 'admin'
    case 'user':
      // What a management key asked for is for whoever holds the key, not for the owner of the token.
      return asker.kind !== 'management' && token.owner_id === actor.id && (await signedIn(ctx)) !== undefined
    default:
      return false
  }
}

/** What a page says before anybody has signed in. */
export interface Waiting {
  name: string | null
  asked_by: Asker
  created_at: string
  expires_at: string
  /** It was collected, replaced, or is too old. */
  over: boolean
}

/** The secret that waits on the page with this id; undefined while there is none. */
export async function waitingOn(
  { store, keys, clock }: Pick<Core, 'store' | 'keys' | 'clock'>,
  id: string,
): Promise<Waiting | undefined> {
  const link = await links.findByCode(store.read, digest(keys.link, id))
  if (link === undefined || link.asked_by === null) return undefined
  const { created_at, expires_at, sealed } = link
  const token = await tokens.find(store.read, {}, link.token_id)
  const over = sealed === null || expires_at <= new Date(clock()).toISOString()
  return { name: token?.name ?? null, asked_by: askerIn(link.asked_by), created_at, expires_at, over }
}

function askerIn(text: string): Asker {
  return JSON.parse(text) as Asker
}
