import { LoggingLevelSchema } from '@modelcontextprotocol/sdk/types.js'
import type { Entry } from '../core/entries.ts'
import { newRedactions } from '../domain/guardrails/redactions.ts'
import type { RpcAnswer } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { UpstreamFault } from './conduit.ts'
import { asFault, failure } from './faults.ts'
import type { Link } from './link.ts'
import { outerItems } from './naming.ts'
import { linkOf } from './open-links.ts'
import { askServer } from './own-request.ts'
import { messageLimit } from './reading.ts'
import { screenedAnswer } from './screening.ts'
import type { Call } from './steps.ts'
import { listOf, visible } from './subjects.ts'

/** Pages of one server's list that are read. */
const mostPages = 50

/** What the pages of one server's list may take together, bytes. */
const mostListed = messageLimit

/** How long a server may take to be one of a list, ms. */
const listPatience = 10_000

/** Answers a request that is about no server in particular: with the lists of all the token reaches, joined. */
export async function answerForAll(call: Call): Promise<void> {
  const { gate, token, exchange, message } = call
  const list = listOf(message.method)
  if (list === undefined && message.method !== 'logging/setLevel')
    return exchange.answer(failure(message.id, rpc.method, 'Method not found'))
  if (list === undefined && !LoggingLevelSchema.safeParse(message.params?.['level']).success)
    return exchange.answer(failure(message.id, rpc.params, 'There is no such level of log messages.'))
  const entries = (await gate.face.core.entries.of(token.token.id)).filter(({ runs }) => runs !== null)
  const parts = await Promise.all(entries.map((entry) => partOf(call, entry, list)))
  const items = parts.flatMap((part) => ('items' in part ? part.items : []))
  const missing = parts.flatMap((part) => ('missing' in part ? [part.missing] : []))
  const meta = missing.length === 0 ? {} : { _meta: { 'tokenwright/unavailable': missing } }
  const result = list === undefined ? {} : { [list[0]]: items, ...meta }
  exchange.answer({ jsonrpc: '2.0', id: message.id, result })
}

type Part = { items: unknown[] } | { missing: { server: string; reason: string } }

/** One server's part of a list; a server that does not answer in time is named as missing. */
async function partOf(call: Call, entry: Entry, list: [string, string] | undefined): Promise<Part> {
  const { gate, session, token } = call
  try {
    const link = await inTime(linkOf(gate, session, entry, token.token.id))
    return { items: await inTime(list === undefined ? level(call, link) : items(call, entry, link, list)) }
  } catch (error) {
    return { missing: { server: entry.slug, reason: asFault(error).problem } }
  }
}

async function items(
  call: Call,
  entry: Entry,
  link: Link,
  [list, member]: [string, string],
): Promise<unknown[]> {
  const { method } = call.message
  // A server without the capability would answer with an error.
  if (!offers(link, method)) return []
  const found: unknown[] = []
  let cursor: unknown
  let bytes = 0
  for (let page = 0; page < mostPages; page += 1) {
    const answer = screenedAnswer(
      entry,
      await asked(call, link, method, cursor === undefined ? {} : { cursor }),
      newRedactions(),
    )
    if (!('result' in answer)) break
    const result = visible(method, answer.result, entry, call.token.candidate?.tool_rules ?? null)
    bytes += Buffer.byteLength(JSON.stringify(result))
    if (bytes > mostListed) throw new UpstreamFault('too_large', 'Its list is too large.')
    found.push(...outerItems(entry.slug, list, member, result[list]))
    cursor = answer.result['nextCursor']
    if (typeof cursor !== 'string') break
  }
  return found
}

function offers({ about }: Link, method: string): boolean {
  const capability = method.slice(0, method.indexOf('/'))
  const capabilities = about['capabilities']
  return typeof capabilities === 'object' && capabilities !== null && capability in capabilities
}

async function level(call: Call, link: Link): Promise<unknown[]> {
  if (offers(link, 'logging/'))
    await asked(call, link, call.message.method, { level: call.message.params?.['level'] })
  return []
}

function asked(
  { token }: Call,
  link: Link,
  method: string,
  params: Record<string, unknown>,
): Promise<RpcAnswer> {
  return askServer(link, { method, params, holder: token.token.id, patience: listPatience })
}

/** Opening may take longer than a list can wait; it goes on for whoever comes next. */
function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UpstreamFault('timeout', 'too slow to be listed')), listPatience)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
