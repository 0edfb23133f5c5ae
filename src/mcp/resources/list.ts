import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { type Actor, may } from '../../core/actor.ts'
import type { Core } from '../../core/invoke.ts'
import { rpc } from '../../http/rpc.ts'
import { covers } from '../listed.ts'
import { protocolError } from '../refusals.ts'
import type { Json, Turn } from '../surface.ts'
import { groupEntry } from './group.ts'
import { kinds } from './index.ts'
import { type Kind, mimeType, type Run, runFor } from './kind.ts'
import { tokenEntry } from './token.ts'

const perPage = 50

/** Clients fetch page after page; what is older than these is found by the list tools. */
const mostPages = 5

/** Where the next page goes on in either list; null = that list is over. */
const place = z.tuple([
  z.int().min(1).max(mostPages),
  z.string().max(200).nullable(),
  z.string().max(200).nullable(),
])

/** Lists resources (`resources/list`): what is always there, then the caller's newest tokens and groups beside each other. */
export async function listResources(core: Core, { caller, params }: Turn): Promise<Json> {
  const { actor } = caller
  const run = runFor(core, caller)
  if (params['cursor'] !== undefined) return page(run, actor, placeOf(params['cursor']))
  const fixed = shownTo(actor).flatMap(({ address, ...kind }) =>
    'uri' in address ? [{ uri: address.uri, ...entry(kind) }] : [],
  )
  const { resources, ...more } = await page(run, actor, [0, '', ''])
  return { resources: [...fixed, ...resources], ...more }
}

/** Lists the forms addresses have (`resources/templates/list`). */
export function listTemplates({ caller, params }: Turn): Json {
  if (params['cursor'] !== undefined) {
    throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
  }
  const resourceTemplates = shownTo(caller.actor).flatMap(({ address, ...kind }) =>
    'uriTemplate' in address ? [{ uriTemplate: address.uriTemplate, ...entry(kind) }] : [],
  )
  return { resourceTemplates }
}

type Place = [number, string | null, string | null]

async function page(run: Run, actor: Actor, [number, tokenCursor, groupCursor]: Place) {
  const tokens = await tokensAt(run, actor, tokenCursor)
  const groups = await groupsAt(run, actor, groupCursor)
  const next: Place = [number + 1, tokens.next_cursor, groups.next_cursor]
  const isLast = next[0] >= mostPages || (next[1] === null && next[2] === null)
  return {
    resources: [...tokens.tokens.map(tokenEntry), ...groups.groups.map(groupEntry)] as Json[],
    ...(!isLast && { nextCursor: Buffer.from(JSON.stringify(next)).toString('base64url') }),
  }
}

async function tokensAt(run: Run, actor: Actor, cursor: string | null) {
  if (cursor === null) return { tokens: [], next_cursor: null }
  if (may(actor, 'tokens:read')) {
    const status = ['active' as const, 'disabled' as const, 'expired' as const]
    return run(tools.list_magic_tokens, { status, limit: perPage, ...(cursor !== '' && { cursor }) })
  }
  const isToken = actor.kind === 'access' || actor.kind === 'user_key'
  // A token without the permission reads itself.
  const own = isToken ? [(await run(tools.get_token, { token_id: actor.id })).token] : []
  return { tokens: own, next_cursor: null }
}

async function groupsAt(run: Run, actor: Actor, cursor: string | null) {
  if (cursor === null || !may(actor, 'groups:read')) return { groups: [], next_cursor: null }
  return run(tools.list_groups, { limit: perPage, ...(cursor !== '' && { cursor }) })
}

function placeOf(cursor: unknown): Place {
  try {
    return place.parse(JSON.parse(Buffer.from(String(cursor), 'base64url').toString()))
  } catch {
    throw protocolError(rpc.params, 'cursor: must be the nextCursor of the page before.')
  }
}

function shownTo(actor: Actor): Kind[] {
  return kinds.filter(({ operation }) => covers(actor, operation))
}

function entry({ name, title, description, icons, annotations }: Omit<Kind, 'address'>) {
  return { name, title, description, mimeType, icons, annotations }
}
