import * as groups from '../../db/groups.ts'
import type { Named } from '../../db/reach.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Change } from '../domain/told-change.ts'
import type { Access } from './access.ts'
import { may } from './actor.ts'
import type { Context } from './context.ts'
import { AppError, lacking } from './errors.ts'
import { serverMeant } from './explain.ts'
import { single } from './found.ts'
import { unchosen } from './parse.ts'
import { findTokenNamed } from './token-state.ts'

/** A change as it is asked for: one of the ids, and what belongs to the change. */
export interface AskedChange {
  token_id?: string | undefined
  group_id?: string | undefined
  server_id?: string | undefined
  change: Change
  access?: Access | undefined
  allowed_ips?: string[] | null | undefined
  expires_at?: string | null | undefined
  group_ids?: string[] | undefined
}

/** What a change is made to, the tokens that may feel it, and of which servers; undefined = of all there are. */
export interface Subject {
  of: 'token' | 'group' | 'server'
  id: string
  tokens: TokenRow[]
  among: Named[] | undefined
}

/** Tokens looked at most, and tokens times servers: a rehearsal holds up every writer. */
const mostTokens = 1_000
const mostPairs = 20_000

const ids = ['token_id', 'group_id', 'server_id'] as const
const ofUpdate = ['access', 'allowed_ips', 'expires_at'] as const

/** Refuses what does not belong together. */
export function refuseMixed(asked: AskedChange): void {
  const given = (member: keyof AskedChange) => asked[member] !== undefined
  if (ids.filter(given).length !== 1) throw unchosen(ids, 'exactly one of these must be given')
  const { change } = asked
  if ((change === 'delete') === given('token_id'))
    throw unchosen(['change'], 'delete is for a group or a server, the others are for a token')
  const inGroups = change === 'add_groups' || change === 'remove_groups'
  if (inGroups !== given('group_ids'))
    throw unchosen(['group_ids'], 'is for add_groups and remove_groups, and must be given with these')
  if ((change === 'update') !== ofUpdate.some(given))
    throw unchosen(ofUpdate, 'are for update, and one of these must be given with it')
}

/** The operation that makes the change, and its input. */
export function operationOf(asked: AskedChange, { of, id }: Subject): [name: string, input: object] {
  const { change, group_ids } = asked
  if (of === 'group') return ['delete_group', { group_id: id }]
  if (of === 'server') return ['delete_server', { server_id: id }]
  switch (change) {
    case 'enable':
    case 'disable':
      return ['set_token_enabled', { token_id: id, enabled: change === 'enable' }]
    case 'add_groups':
    case 'remove_groups':
      return [change, { token_id: id, group_ids }]
    case 'update': {
      const members = ofUpdate.filter((member) => asked[member] !== undefined)
      return [
        'update_token',
        { token_id: id, ...Object.fromEntries(members.map((one) => [one, asked[one]])) },
      ]
    }
    default:
      return [`${change}_token`, { token_id: id }]
  }
}

/** Finds what is to be changed, by id or exact name, in the caller's scope. */
export async function subjectOf(
  ctx: Context,
  { token_id, group_id, server_id = '' }: AskedChange,
): Promise<Subject> {
  if (token_id !== undefined) {
    const token = await findTokenNamed(ctx, token_id)
    return { of: 'token', id: token.id, tokens: [token], among: undefined }
  }
  return group_id === undefined ? serverOf(ctx, server_id) : groupOf(ctx, group_id)
}

async function groupOf(ctx: Context, text: string): Promise<Subject> {
  if (!may(ctx.actor, 'groups:read')) throw lacking('simulate_change with group_id', 'groups:read')
  const byId = await groups.find(ctx.db, text)
  const found = byId ? [byId] : await groups.findNamed(ctx.db, text)
  const { id } = single(found, { entity: 'group', id: text, next: 'list_groups shows the ids.' })
  const among = await groups.serversOf(ctx.db, ctx.scope, [id])
  return bounded({ of: 'group', id, among, tokens: await tokensOf(ctx, { group_id: id }) })
}

async function serverOf(ctx: Context, text: string): Promise<Subject> {
  const found = await serverMeant(ctx, text)
  const server = single(found === undefined ? [] : [found], {
    entity: 'server',
    id: text,
    next: 'list_servers shows the ids.',
  })
  const { id } = server
  return bounded({ of: 'server', id, among: [server], tokens: await tokensOf(ctx, { server_id: id }) })
}

function tokensOf({ db, scope, now }: Context, filter: { group_id?: string; server_id?: string }) {
  return tokens.list(db, scope, filter, { limit: mostTokens + 1, order: 'asc' }, now)
}

function bounded(subject: Subject): Subject {
  const { tokens, among = [], of } = subject
  if (tokens.length <= mostTokens && tokens.length * among.length <= mostPairs) return subject
  const detail = `So many tokens and servers hang on this ${of} that it is not simulated; list_magic_tokens with ${of}_id shows the tokens.`
  throw new AppError('too_large', detail, { entity: of, id: subject.id })
}
