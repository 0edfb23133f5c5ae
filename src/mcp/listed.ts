import { type Actor, may } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import type { Effect } from '../core/operation.ts'
import type { Permission } from '../core/permissions.ts'
import type { Tool } from './table.ts'

/** What an MCP server of this process offers, fixed at its start. */
export interface McpOptions {
  /** Sets to offer beside the default ones. */
  toolsets: readonly string[]
  /** Offers nothing but reading; wins over everything else. */
  readOnly: boolean
  version: string
}

/** What decides who is shown a tool. */
interface Shown {
  permission: Permission
  effect: Effect
  /** Tokens may do it to themselves. */
  permitsSelf?: unknown
}

/** A tool as it is listed; plain data, so that a build can keep it. */
export interface Listed extends Shown {
  tool: Tool
  set: string
}

export interface Listing {
  sets: { name: string; default: boolean }[]
  tools: Listed[]
}

/** The listed tools of a process, in the order of the sets; throws `invalid_input` for an unknown set. */
export function listedFor(listing: Listing, options: Omit<McpOptions, 'version'>): Listed[] {
  const sets = offeredSets(listing.sets, options.toolsets)
  return listing.tools.filter(({ set, effect }) => sets.has(set) && isOffered(effect, options))
}

/** The names of the sets that are offered. */
export function offeredSets(sets: Listing['sets'], asked: readonly string[]): ReadonlySet<string> {
  const unknown = asked.find((one) => !sets.some(({ name }) => name === one))
  if (unknown !== undefined) {
    const known = sets.map(({ name }) => name).join(', ')
    throw new AppError('invalid_input', `There is no toolset "${unknown}". The toolsets are ${known}.`, {
      field: 'toolsets',
    })
  }
  return new Set(sets.filter((set) => set.default || asked.includes(set.name)).map(({ name }) => name))
}

export function isOffered(effect: Effect, { readOnly }: Pick<McpOptions, 'readOnly'>): boolean {
  return !readOnly || effect === 'read'
}

/** Whether a caller is shown a tool: its permissions cover it, or it is a token that may do it to itself. */
export function covers(actor: Actor, { permission, effect, permitsSelf }: Shown): boolean {
  if (may(actor, permission)) return true
  if (permitsSelf === undefined) return false
  if (actor.kind !== 'access' && actor.kind !== 'user_key') return false
  return !actor.predecessor || effect === 'read'
}
