import { z } from 'zod'
import * as reach from '../../db/reach.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import * as tokens from '../../db/tokens.ts'
import { rangesWithin } from '../domain/ip-range.ts'
import { type AskedExpiry, type ExpiryProblem, expiryOf } from '../domain/lifetime.ts'
import type { Policy } from '../domain/settings.ts'
import { rulesWithin, type ToolRules } from '../domain/tool-rules.ts'
import { type AskedLimits, limitsOf, limitsWithin } from '../domain/use-limits.ts'
import { may } from './actor.ts'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'

/** A bound of its own that a dialect sets to lifetimes, in days; the policy narrows it and never widens it. */
export const longest = z.object({ longest_days: z.int() })

type Asked = AskedExpiry & { longest_days?: number | undefined }

/** Refuses an end that no policy could allow; it takes the time alone, so the caller is judged later (mctx:auth:order:first). */
export function refuseExpiry(asked: Asked, now: string): void {
  const max_lifetime_days = asked.longest_days ?? null
  const expiry = expiryOf(asked, { now, default_lifetime_days: 1, max_lifetime_days, own_end: null })
  if ('problem' in expiry) throw badExpiry(expiry)
}

/**
 * The expiry of a token the caller makes or edits: within the policy and within the caller's own end. An operation whose
 * tokens never end by contract holds the permission for that itself, and says so.
 */
export async function grantExpiry(
  ctx: Context,
  asked: Asked,
  policy: Policy,
  permanent = may(ctx.actor, 'tokens:permanent'),
): Promise<string | null> {
  const { default_lifetime_days } = await ctx.settings()
  const { require_expiry } = policy
  const own_end = 'expires_at' in ctx.actor ? ctx.actor.expires_at : null
  const longest = Math.min(asked.longest_days ?? Infinity, policy.max_lifetime_days ?? Infinity)
  const max_lifetime_days = longest === Infinity ? null : longest
  const bounds = { now: ctx.now, default_lifetime_days, max_lifetime_days, require_expiry, own_end }
  const expiry = expiryOf(asked, bounds)
  if ('problem' in expiry) throw badExpiry(expiry)
  const { expires_at } = expiry
  if (expires_at === null && !permanent) {
    throw beyond('a token without an expiry needs the permission tokens:permanent')
  }
  if (own_end !== null && (expires_at === null || expires_at > own_end)) {
    throw beyond(`your own credential ends ${own_end}; what it makes may not live longer`)
  }
  return expires_at
}

function badExpiry({ problem, member, rule, policy }: ExpiryProblem): AppError {
  // One sentence for every face, whatever member stands for it there.
  if (policy !== undefined) return new AppError('invalid_input', problem, { field: member, reason: policy })
  const issues = [{ path: [member], code: 'out_of_range', message: rule }]
  return new AppError('invalid_input', sentence(problem), { field: member, issues })
}

/**
 * The address list of a token the caller makes or edits: inside the caller's own, which is also the default, and there
 * where the policy wants one.
 */
export function grantAddresses(
  ctx: Context,
  asked: string[] | null | undefined,
  policy: Policy,
): string[] | null {
  const own = 'allowed_ips' in ctx.actor ? ctx.actor.allowed_ips : null
  if (own === null) {
    if (policy.require_allowed_ips && (asked ?? null) === null) throw new AppError(...openRefused)
    return asked ?? null
  }
  if (asked === null || asked === undefined) return [...own]
  if (!rangesWithin(asked, own))
    throw beyond('allowed_ips must lie inside the allowed_ips of your own credential')
  return asked
}

/** The tool rules a caller gives: a user key's own are the default, and what it gives says no wherever they do. */
export async function grantRules(
  ctx: Context,
  asked: ToolRules | null | undefined,
): Promise<ToolRules | null | undefined> {
  const own = await ownRules(ctx)
  if (own === null) return asked
  if (asked === null || asked === undefined) return own
  if (!rulesWithin(asked, own))
    throw beyond('tool_rules must keep the deny of your own credential and allow nothing beyond its allow')
  return asked
}

async function ownRules(ctx: Context): Promise<ToolRules | null> {
  return rulesOf((await ownKey(ctx))?.tool_rules ?? null)
}

async function ownKey({ actor, db }: Context): Promise<TokenRow | undefined> {
  return actor.kind === 'user_key' ? tokens.find(db, { token_id: actor.id }, actor.id) : undefined
}

/** The limits a caller gives: a user key's own are the default, also for what it says nothing of, and none are wider. */
export async function grantLimits(
  ctx: Context,
  asked: AskedLimits | null | undefined,
): Promise<AskedLimits | null | undefined> {
  const key = await ownKey(ctx)
  const own = key === undefined ? null : limitsOf(key)
  if (own === null) return asked
  const granted = { ...own, ...asked }
  if (!limitsWithin(granted, own))
    throw beyond('limits must not allow more than those of your own credential')
  return granted
}

function rulesOf(text: string | null): ToolRules | null {
  return text === null ? null : (JSON.parse(text) as ToolRules)
}

/** The project of what the caller makes: a credential bound to a project makes nothing outside it. */
export function grantProject(ctx: Context, asked: string | null | undefined): string | null {
  const own = 'project_id' in ctx.actor ? ctx.actor.project_id : null
  if (own === null) return asked ?? null
  if (asked === undefined || asked === own) return own
  throw beyond('your own credential is bound to another project')
}

/** The owner of what the caller makes: a user key makes tokens of its owner, and of nobody else. */
export function grantOwner(ctx: Context, asked: string | null | undefined): string | null {
  if (ctx.actor.kind !== 'user_key') return asked ?? null
  if (asked === undefined || asked === ctx.actor.owner_id) return ctx.actor.owner_id
  throw beyond('a user key makes tokens of its own owner only')
}

const openRefused = [
  'invalid_input',
  'Tokens without an address list are not allowed here: require_allowed_ips is set.',
  { field: 'allowed_ips', reason: 'require_allowed_ips' },
] as const

/** The start of validity; it must leave some validity before the end. */
export function notBefore(asked: string | null | undefined, expires_at: string | null): string | null {
  if (asked && expires_at !== null && asked >= expires_at) {
    throw new AppError('invalid_input', 'not_before must lie before the expiry.', { field: 'not_before' })
  }
  return asked ?? null
}

/** Refuses to hand the caller the secret of a token that reaches further than the caller itself. */
export async function refuseWider(ctx: Context, token: TokenRow): Promise<void> {
  const { actor } = ctx
  if (!('allowed_ips' in actor) || actor.id === token.id) return
  const addresses = token.allowed_ips === null ? null : (JSON.parse(token.allowed_ips) as string[])
  const wider =
    (actor.allowed_ips !== null && (addresses === null || !rangesWithin(addresses, actor.allowed_ips))) ||
    (actor.expires_at !== null && (token.expires_at === null || token.expires_at > actor.expires_at))
  if (wider) throw beyond('this token reaches further than your own credential')
  if (actor.kind !== 'user_key') return
  if (!rulesWithin(rulesOf(token.tool_rules), await ownRules(ctx)))
    throw beyond('this token may call tools that your own credential may not')
  const own = await ownKey(ctx)
  if (own !== undefined && !limitsWithin(limitsOf(token), limitsOf(own)))
    throw beyond('this token may be used more often than your own credential')
  const servers = (await reach.serversOf(ctx.db, [token.id])).get(token.id) ?? []
  const groups = (await reach.groupsOf(ctx.db, [token.id])).get(token.id) ?? []
  await refuseFurther(ctx, {
    all_servers: token.all_servers === 1,
    servers: ids(servers),
    groups: ids(groups),
  })
}

/** Refuses reach beyond the caller's own: a user key hands out what it has itself and no more (security R15). */
export async function refuseFurther(
  ctx: Context,
  asked: { all_servers?: boolean | undefined; servers?: string[] | undefined; groups?: string[] | undefined },
): Promise<void> {
  if (ctx.actor.kind !== 'user_key') return
  const { id } = ctx.actor
  const own = await tokens.find(ctx.db, { token_id: id }, id)
  if (own?.all_servers === 1) return
  const servers = ids((await reach.serversOf(ctx.db, [id])).get(id) ?? [])
  const groups = ids((await reach.groupsOf(ctx.db, [id])).get(id) ?? [])
  const further =
    asked.all_servers === true ||
    asked.servers?.some((one) => !servers.includes(one)) === true ||
    asked.groups?.some((one) => !groups.includes(one)) === true
  if (further) throw beyond('access must lie inside the reach of your own credential')
}

/** Refuses a user key servers outside its project, and tells nobody which of them exist (mctx:tokens:create:user-key). */
export async function refuseOutside(ctx: Context, asked: readonly string[]): Promise<void> {
  if (ctx.actor.kind !== 'user_key') return
  const own = await servers.findMany(ctx.db, ctx.scope, asked)
  const live = new Set(own.filter(({ deleted_at }) => deleted_at === null).map(({ id }) => id))
  if (!asked.every((id) => live.has(id)))
    throw beyond('access must lie inside the project of your own credential')
}

function ids(named: readonly reach.Named[]): string[] {
  return named.map((one) => one.id)
}

function beyond(rule: string): AppError {
  return new AppError('forbidden', sentence(rule), { reason: 'beyond_own_limits' })
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
}

/** Refuses changes to things of the whole instance by a credential that is bound to a project. */
export function refuseBound(ctx: Context): void {
  if (ctx.scope.project_id !== undefined)
    throw beyond('your own credential is bound to a project; this belongs to the instance')
}
