import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { ServerRow } from '../../db/schema.ts'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'
import type { runsPart } from './server-fields.ts'
import { openValues, readValues, sealValues, type Values } from './server-values.ts'

type RunsPart = z.output<typeof runsPart>

/** What a server runs or calls, with its values in the clear; never leaves the process. */
export interface Runs {
  command: string | null
  args: string
  env: Values
  url: string | null
  headers: Values
}

/** What a new server runs or calls. */
export function newRuns({ command, args, env, url, headers }: RunsPart): Runs {
  return {
    command: command ?? null,
    args: JSON.stringify(args ?? []),
    env: env ?? {},
    url: url ?? null,
    headers: headers ?? {},
  }
}

/**
 * What a server runs or calls after a change: a member that is given is set, one that is absent stays, and a program
 * that becomes an address (or the other way) keeps nothing of what it was.
 */
export function changedRuns({ keys }: Pick<Context, 'keys'>, row: ServerRow, asked: RunsPart): Runs {
  if (row.command === null && row.url === null) return firstRuns(row, asked)
  const { command = row.command, args, env, url = row.url, headers } = asked
  const old = (side: 'env' | 'headers') => openValues(keys, row, side)
  if ((asked.url ?? asked.headers) !== undefined) {
    if (url === null) throw otherKind(row, 'runs a program; give url to make it an address')
    if (headers === undefined) refuseElsewhere(row, url)
    return { command: null, args: '[]', env: {}, url, headers: headers ?? old('headers') }
  }
  if (command === null) throw otherKind(row, 'calls an address; give command to make it a program')
  const texts = args === undefined ? row.args : JSON.stringify(args)
  return { command, args: texts, env: env ?? old('env'), url: null, headers: {} }
}

/** What is set of a server for the first time is all there is. */
function firstRuns({ id }: ServerRow, asked: RunsPart): Runs {
  if ((asked.command ?? asked.url) !== undefined) return newRuns(asked)
  throw new AppError('conflict', 'Nobody said yet what the server runs or calls; give command or url.', {
    entity: 'server',
    id,
    reason: 'other_kind',
  })
}

/** The columns of a row that differ, the values sealed for it. */
export function runColumns({ keys }: Pick<Context, 'keys'>, row: ServerRow, next: Runs) {
  const moved = (side: 'env' | 'headers') => !isDeepStrictEqual(readValues(keys, row, side), next[side])
  return {
    ...(row.command === next.command ? {} : { command: next.command }),
    ...(row.args === next.args ? {} : { args: next.args }),
    ...(moved('env') ? { env: sealValues(keys, row.id, 'env', next.env) } : {}),
    ...(row.url === next.url ? {} : { url: next.url }),
    ...(moved('headers') ? { headers: sealValues(keys, row.id, 'headers', next.headers) } : {}),
  }
}

/** What was stored for one origin and is shown to nobody must not be sent to another by a change of the address alone. */
function refuseElsewhere({ id, url, headers }: ServerRow, next: string): void {
  if (headers === null || url === null || new URL(url).origin === new URL(next).origin) return
  throw new AppError('conflict', 'The headers were set for another origin; give headers with the new url.', {
    entity: 'server',
    id,
    reason: 'other_origin',
  })
}

function otherKind({ id }: ServerRow, is: string): AppError {
  return new AppError('conflict', `The server ${is}.`, { entity: 'server', id, reason: 'other_kind' })
}

/** What the trail keeps of it: the whole argv, and of values the names (security R34, R37). */
export function toldRuns({ command, args, env, url, headers }: Runs) {
  if (command === null) return { url, headers: Object.keys(headers) }
  return { argv: [command, ...(JSON.parse(args) as string[])], env: Object.keys(env) }
}
