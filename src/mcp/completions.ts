import { type Actor, may } from '../core/actor.ts'
import type { Core } from '../core/invoke.ts'
import { cursorBehind } from '../core/paging.ts'
import { idPrefixes, isId } from '../domain/id.ts'
import { textProblem } from '../domain/text.ts'
import { isObject } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { isOffered } from './prompts/answer.ts'
import { prompts } from './prompts/index.ts'
import { protocolError } from './refusals.ts'
import { type Run, runFor } from './resources/kind.ts'
import { type Source, sources } from './sources.ts'
import type { Json, Turn } from './surface.ts'
import type { Table } from './table.ts'

/** The protocol's own bound on the values of one answer. */
const most = 100

interface Completion {
  values: string[]
  total?: number
  hasMore: boolean
}

/** What an argument can be completed from, and whether its values are ids alone. */
interface Wanted {
  source: Source
  idsOnly: boolean
}

const nothing: Completion = { values: [], total: 0, hasMore: false }

/** Completes an argument of a prompt or the id in an address (`completion/complete`) with what is in the caller's scope. */
export async function complete(core: Core, table: Table, { caller, params }: Turn): Promise<Json> {
  const { name, value } = isObject(params['argument']) ? params['argument'] : {}
  if (typeof name !== 'string' || typeof value !== 'string')
    throw protocolError(rpc.params, 'argument: must have a name and a value.')
  const wanted = wantedBy(table, caller.actor, params['ref'], name)
  return { completion: await completed(runFor(core, caller), caller.actor, wanted, value) }
}

const templates: Record<string, Source> = {
  'token://{id}': sources.token,
  'audit://token/{id}': sources.token,
  'group://{id}': sources.group,
}

function wantedBy(table: Table, actor: Actor, ref: unknown, argument: string): Wanted | undefined {
  const { type, uri, name } = isObject(ref) ? ref : {}
  if (type === 'ref/resource' && typeof uri === 'string' && Object.hasOwn(templates, uri)) {
    const source = templates[uri]
    if (source === undefined || argument !== 'id') throw unknown()
    return uri.startsWith('audit:') && !may(actor, 'audit:read') ? undefined : { source, idsOnly: true }
  }
  const prompt = type === 'ref/prompt' && typeof name === 'string' ? prompts.get(name) : undefined
  const known = prompt?.arguments.find((one) => one.name === argument)
  if (prompt === undefined || known === undefined) throw unknown()
  if (known.completes === undefined || !isOffered(table, actor, prompt)) return undefined
  return { source: sources[known.completes], idsOnly: false }
}

function unknown() {
  return protocolError(rpc.params, 'ref: names no prompt and no resource template with that argument.')
}

async function completed(
  run: Run,
  actor: Actor,
  wanted: Wanted | undefined,
  value: string,
): Promise<Completion> {
  if (wanted === undefined || value.length > 200 || textProblem(value, 'line') !== undefined) return nothing
  const { source, idsOnly } = wanted
  if (!may(actor, source.operation.permission)) return idsOnly ? itself(actor, source, value) : nothing
  if (value.startsWith(`${idPrefixes[source.kind]}_`)) return byId(run, source, value)
  const { rows, next_cursor, total } = await source.list(run, {
    limit: most,
    ...(value !== '' && { text: value }),
  })
  const hasMore = next_cursor !== null
  if (idsOnly) return { values: rows.map(({ id }) => id), hasMore, ...(total !== null && { total }) }
  return { values: namesWith(rows, value), hasMore }
}

/** A token that may not list tokens may still read itself. */
function itself(actor: Actor, { kind }: Source, value: string): Completion {
  const isToken = kind === 'token' && (actor.kind === 'access' || actor.kind === 'user_key')
  if (!isToken || !actor.id.startsWith(value)) return nothing
  return { values: [actor.id], total: 1, hasMore: false }
}

/** Ids are in the order of their bytes, so those that begin alike stand together. */
async function byId(run: Run, source: Source, value: string): Promise<Completion> {
  if (!/^\w{1,60}$/.test(value)) return nothing
  const start = isId(source.kind, value) ? value.slice(0, -1) : value
  const asked = { limit: most, order: 'asc' as const, cursor: cursorBehind(start) }
  const { rows, next_cursor } = await source.list(run, asked)
  const values = rows.map(({ id }) => id).filter((id) => id.startsWith(value))
  return { values, hasMore: next_cursor !== null && values.length === rows.length }
}

/** The names that hold the text, once each; the lists find descriptions too. */
function namesWith(rows: readonly { name: string | null }[], value: string): string[] {
  const sought = value.toLowerCase()
  const names = rows.flatMap(({ name }) => (name !== null && name !== '' ? [name] : []))
  return [...new Set(names)].filter((name) => name.toLowerCase().includes(sought))
}
