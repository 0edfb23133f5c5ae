import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import { toPredecessor } from '../core/authenticate.ts'
import type { Caller, Via } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { invokeDialect, refuseUnpermitted } from '../core/invoke.ts'
import { parseInput } from '../core/parse.ts'
import { type Answer, answerJson, pathOf } from '../http/answer.ts'
import { bearerOf } from '../http/bearer.ts'
import { parseJson, readBytesOf } from '../http/body.ts'
import { callerFrom } from '../http/caller.ts'
import type { Facts } from '../http/facts.ts'
import { withIdempotencyKey } from '../http/idempotency-key.ts'
import { boundsOf } from '../http/limits.ts'
import type { Family, RawRoute } from '../http/server.ts'
import type { HttpFace } from '../http/types.ts'
import { inWordsOf } from './names.ts'
import type { Described } from './openapi/described.ts'
import { listedQuery, soughtWithin } from './query.ts'
import type { Ask, Route } from './route.ts'

/** What a refusal is worded with. */
export interface Moment {
  path: string
  requestId: string
  /** ISO 8601 UTC. */
  now: string
  /** A credential was sent (security R33). */
  sent: boolean
  /** It had the form of one: `Bearer` and one word. */
  formed: boolean
}

/** One of the REST dialects: its routes, and how it reads a body and words a refusal. */
export interface Dialect {
  via: Via
  /** What the documentation calls it. */
  title: string
  owns(path: string): boolean
  routes: readonly Route[]
  /** Tokens alone are credentials here: a management key is as good as none. */
  tokensOnly?: boolean
  word(error: AppError, at: Moment): Answer
  /** Adds what only the moment of the answer knows to a success. */
  finish?(body: Record<string, unknown>, at: Moment): object
  /** The members it adds, for the documentation. */
  finished?: z.ZodObject
  /** The body of every refusal, for the documentation. */
  refusal: z.ZodType
  /** Routes of it that are in no table, for the documentation. */
  described?: readonly Described[]
  /** Refuses a body by its Content-Type; absent = it is read as JSON whatever it says. */
  refuseType?(contentType: string | undefined): void
  /** The values of a query by name; absent = one text each. */
  readQuery?(search: string): Record<string, unknown>
  /** Parses a body or a query by the route's schema; absent = unknown members are refused by name. */
  parse?(schema: z.ZodObject, raw: unknown, part: 'body' | 'query'): object
}

/**
 * Serves a dialect. The order is the contracts': credential, route, method, query and body, permission, look-up (security
 * R12); an operation that takes whole documents is permitted before its body is read (R24).
 */
export function dialectRoutes(face: HttpFace, dialect: Dialect): RawRoute {
  const routes = dialect.routes.map((route) => ({ route, pattern: patternOf(route.path) }))
  return (request, response, facts) => {
    const path = pathOf(request)
    if (!dialect.owns(path)) return false
    const found = routes.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path)
      return match === null ? [] : [{ route, params: { ...match.groups } }]
    })
    facts.route = found[0]?.route.path ?? `${dialect.via}: unknown`
    void answer(face, dialect, { request, response, facts, found })
    return true
  }
}

/** How a dialect words what is refused before its own code runs: a foreign Host or Origin, a URL too long. */
export function familyOf(dialect: Dialect, clock: () => number): Family {
  return {
    owns: dialect.owns,
    refusal: (error, requestId, path) =>
      dialect.word(error, {
        path,
        requestId,
        now: new Date(clock()).toISOString(),
        sent: false,
        formed: false,
      }),
  }
}

interface Found {
  route: Route
  params: Record<string, string>
}

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  facts: Facts
  /** The routes at this path, one for each method. */
  found: Found[]
}

async function answer(face: HttpFace, dialect: Dialect, exchange: Exchange): Promise<void> {
  const { request, response, facts } = exchange
  let caller: Caller | undefined
  try {
    caller = await callerFrom(request, face, dialect.via, facts, dialect)
    const { route, params } = matching(exchange)
    const { status, body } = await answered(face, dialect, caller, { request, route, params })
    const finished = dialect.finish?.(body, momentOf(face, exchange)) ?? body
    answerJson(request, response, status, finished)
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const known = error instanceof AppError ? error : new AppError('internal', 'Internal error.')
    const refusal = caller === undefined ? known : toPredecessor(caller.actor, known)
    const { status, body, headers } = dialect.word(refusal, momentOf(face, exchange))
    answerJson(request, response, status, body, headers)
  }
}

function momentOf(face: HttpFace, { request, facts }: Exchange): Moment {
  const now = new Date(face.core.clock()).toISOString()
  const { sent, secret } = bearerOf(request)
  return { path: pathOf(request), requestId: facts.requestId, now, sent, formed: secret !== undefined }
}

function matching({ request, found }: Exchange): Found {
  const match = found.find(({ route }) => route.method === request.method)
  if (match !== undefined) return match
  if (found.length === 0) throw new AppError('not_found', 'There is no such route.', { entity: 'endpoint' })
  const allowed = [...new Set(found.map(({ route }) => route.method))].join(', ')
  throw new AppError('unsupported', allowed, { reason: 'method', entity: 'endpoint' })
}

interface Matched extends Found {
  request: IncomingMessage
}

async function answered(
  face: HttpFace,
  dialect: Dialect,
  caller: Caller,
  { request, route, params }: Matched,
) {
  const { operation, permission } = route
  try {
    if (operation.large) await refuseUnpermitted(face.core, caller, operation, permission)
    const ask: Ask = {
      params: decoded(params),
      query: queryOf(dialect, route, request),
      body: await bodyOf(face, dialect, route, request),
    }
    const input = route.input(ask)
    const whole = operation.retryable ? withIdempotencyKey(request, input) : input
    const started = performance.now()
    const out = await invokeDialect(face.core, caller, operation, whole, permission).catch((error) => {
      throw inWordsOf(route.names, error)
    })
    face.metrics.operation(operation.name, (performance.now() - started) / 1_000)
    return { body: route.output(out) as Record<string, unknown>, status: route.status(out) }
  } catch (error) {
    throw error instanceof AppError ? route.error(error, caller.actor) : error
  }
}

function queryOf(dialect: Dialect, route: Route, { url = '' }: IncomingMessage): object {
  if (route.query === undefined) return {}
  const at = url.indexOf('?')
  const search = at === -1 ? '' : url.slice(at + 1)
  const raw = (dialect.readQuery ?? listedQuery)(search)
  return (dialect.parse ?? strictly)(route.query, raw, 'query')
}

async function bodyOf(
  face: HttpFace,
  dialect: Dialect,
  route: Route,
  request: IncomingMessage,
): Promise<object> {
  if (route.body === undefined) return {}
  const bounds = boundsOf(face.limits, route.operation)
  const bytes = await readBytesOf(request, bounds.bodyBytes)
  if (bytes.length > 0) dialect.refuseType?.(request.headers['content-type'])
  const raw = bytes.length === 0 ? undefined : parseJson(bytes, bounds)
  return (dialect.parse ?? strictly)(route.body, raw, 'body')
}

function strictly(schema: z.ZodObject, raw: unknown, part: 'body' | 'query'): object {
  if (raw !== undefined && (typeof raw !== 'object' || raw === null || Array.isArray(raw)))
    throw new AppError('invalid_input', 'The body must be a JSON object.', { field: part })
  return parseInput({ name: `the ${part}`, input: schema }, raw)
}

/** `/a/:id/b` as a pattern; a parameter is one segment, as it was sent. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
}

/** Names that are longer than any other: a user may be named by an e-mail. */
const longest: Record<string, number> = { user_identifier: 254 }

/** Each parameter decoded once; one that cannot be, or that no store can hold, is looked up all the same and not found. */
function decoded(params: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([name, text]) => [name, soughtWithin(once(text), longest[name] ?? 200)]),
  )
}

function once(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
