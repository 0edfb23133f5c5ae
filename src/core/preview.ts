import { createHmac } from 'node:crypto'
import * as reach from '../../db/reach.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { canonicalJson } from '../domain/canonical.ts'
import { previewSummary, questionOf } from '../domain/told-preview.ts'
import { actorId } from './actor.ts'
import type { Context, Event } from './context.ts'
import { effectOf, type Standing, standingOf } from './effect.ts'
import type { AnyOperation } from './operation.ts'
import { type Touched, touchedBy } from './touched.ts'
import { mostNamed, type PreviewView } from './two-steps.ts'

/** A change inside its transaction: what it will leave in the trail. */
export interface Work {
  ctx: Context
  details: Record<string, unknown>
  events: readonly Event[]
}

/** Stands by a change inside its transaction; what it throws takes the change back. */
export type Witness = (work: Work, make: () => Promise<unknown>) => Promise<unknown>

/** What a change does, seen while it is made. */
export interface Seen {
  view: PreviewView
  /** The same for a person who is asked. */
  question: string
  /** How many tokens it changes one by one. */
  weight: number
}

/**
 * Makes the change and tells what it did. The digest says what was shown, to whom and of which call; clocks are not in it, so
 * that it holds for as long as the state does.
 */
export async function watch(
  operation: AnyOperation,
  input: object,
  { ctx, details, events }: Work,
  make: () => Promise<unknown>,
): Promise<{ output: unknown; seen: Seen }> {
  const touched = await touchedBy(ctx, operation, input)
  const reached = await reachOf(ctx, touched)
  const output = await make()
  const { hit, lost } = await lossOf(ctx, touched, reached)
  const target = operation.target?.(input, output) ?? null
  const changed = new Set([...hit, ...events.map((event) => event.target_id)])
  const felt = touched.tokens.filter(({ id }) => changed.has(id) || id === target)
  const rows = felt.length > 0 || target === null ? felt : await tokenNamed(ctx, target)
  const told = {
    title: operation.title,
    ...subjectOf(details, target, rows),
    hit: hit.length,
    lost: lost.map(({ slug, name }) => name ?? slug),
    revoked: countOf(events, 'revoke_token'),
    renewed: countOf(events, 'rotate_token'),
    refused: Number(details['refused'] ?? 0),
    nothing: operation.touches !== undefined && touched.tokens.length === 0,
    names: rows.map(({ id, name }) => name ?? id),
    atLeast: touched.more,
    used: lastUse(ctx, rows),
  }
  const facts = {
    details,
    events,
    lost: lost.map(({ id }) => id),
    tokens: touched.tokens.map(({ id, generation }) => [id, generation, reached.standing.get(id)?.verdict]),
  }
  const [latest] = byUse(rows)
  const view: PreviewView = {
    summary: previewSummary(told),
    servers_lost: { count: lost.length, servers: lost.slice(0, mostNamed).map(namedOf) },
    tokens_hit: {
      count: changed.size === 0 ? rows.length : new Set(rows.map(({ id }) => id)).size,
      tokens: rows.slice(0, mostNamed).map(({ id, name }) => ({ id, name })),
    },
    last_used_at: latest?.last_used_at ?? null,
    last_used_ip: latest?.last_used_at ? latest.last_used_ip : null,
    confirm: digestOf(ctx, operation, input, facts),
  }
  return { output, seen: { view, question: questionOf(told), weight: Math.max(1, events.length) } }
}

interface Reached {
  standing: Standing
  /** By any of the tokens that are good, where it was not asked of single servers. */
  servers: reach.Named[]
}

async function reachOf(ctx: Context, { tokens, among }: Touched): Promise<Reached> {
  // Which of many tokens reaches which of all servers would be too much to ask; that any does is enough.
  const standing = await standingOf(ctx, tokens, among ?? [])
  const good = [...standing].filter(([, { verdict }]) => verdict === 'valid').map(([id]) => id)
  return { standing, servers: among === undefined ? await reach.reachedByAny(ctx.db, good) : [] }
}

/** What tokens reached before and do not reach now. */
async function lossOf(
  ctx: Context,
  { tokens, among }: Touched,
  { standing, servers }: Reached,
): Promise<{ hit: string[]; lost: reach.Named[] }> {
  const after = await standingOf(ctx, tokens, among ?? [])
  if (among !== undefined) {
    const { hit, lost } = effectOf(standing, after)
    return { hit, lost: lost.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }
  }
  const good = [...standing].filter(([, { verdict }]) => verdict === 'valid').map(([id]) => id)
  const hit = good.filter((id) => after.get(id)?.verdict !== 'valid')
  // Where some stay good, what the others reached is still there to be read.
  const lost = hit.length === good.length ? servers : await reach.reachedByAny(ctx.db, hit)
  return { hit: lost.length === 0 ? [] : hit, lost: hit.length === 0 ? [] : lost }
}

/** A token that was not named by its id, such as one that was found by its secret. */
async function tokenNamed({ db, scope }: Context, id: string): Promise<TokenRow[]> {
  const row = await tokens.find(db, scope, id)
  return row === undefined ? [] : [row]
}

function subjectOf(details: Record<string, unknown>, target: string | null, rows: readonly TokenRow[]) {
  const own = rows.find(({ id }) => id === target)
  const given = own?.name ?? details['name'] ?? details['email'] ?? null
  return { id: target, name: typeof given === 'string' ? given : null }
}

function countOf(events: readonly Event[], action: string): number {
  return events.filter((event) => event.action === action).length
}

function byUse(rows: readonly TokenRow[]): TokenRow[] {
  return rows.toSorted((a, b) => ((a.last_used_at ?? '') < (b.last_used_at ?? '') ? 1 : -1))
}

function lastUse({ now }: Context, rows: readonly TokenRow[]) {
  const [latest] = byUse(rows)
  if (latest === undefined) return undefined
  const { last_used_at: at, last_used_ip: ip } = latest
  if (at === null) return null
  return { seconds: Math.max(0, Math.floor((Date.parse(now) - Date.parse(at)) / 1_000)), ip }
}

function namedOf({ id, slug, name }: reach.Named): reach.Named {
  return { id, slug, name }
}

/** 16 hex characters that nobody but this instance can make. */
function digestOf({ keys, actor }: Context, operation: AnyOperation, input: object, facts: object): string {
  const { dry_run: _, confirm: __, ...asked } = input as Record<string, unknown>
  const text = canonicalJson(
    JSON.parse(JSON.stringify([operation.name, asked, actor.kind, actorId(actor), facts])),
  )
  return createHmac('sha256', keys.conversation).update(`confirm ${text}`).digest('hex').slice(0, 16)
}
