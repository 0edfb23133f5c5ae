import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import {
  isAnswer,
  isRequest,
  objectIn,
  type RpcAnswer,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
} from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { type Conduit, type OpenConduit, UpstreamFault } from './conduit.ts'
import { asFault, failure, faultAnswer, refusedCode } from './faults.ts'
import { introduce } from './introduce.ts'
import { makeQuestions } from './questions.ts'
import { makeSubscriptions } from './subscriptions.ts'

/** Who speaks over a link: a client's session, or one request without a session. */
export interface Party {
  /** The token it speaks for; null = the gateway itself. */
  readonly holder: string | null
  /** It can answer requests of the server. */
  readonly asks: boolean
  /** A message for it, with ids it knows; `call` is its own request the message belongs to. */
  hear(link: Link, message: RpcMessage, call?: RequestId): void
  /** Its request gets no answer; a party without this hears an error in its place. */
  failed?(fault: UpstreamFault): void
  /** The link is over; its open calls have been answered. */
  lost(link: Link, fault: UpstreamFault): void
}

/** A conversation with a server that several parties may share: each hears what is its own and nothing else. */
export interface Link {
  readonly slug: string
  /** What the server said of itself. */
  readonly about: Record<string, unknown>
  readonly over: boolean
  /** Others may speak over it: what is one client's own is not carried. */
  readonly shared: boolean
  /** How many use it now, and since when nobody does, ms: a program may keep something for a session that is only idle. */
  readonly users: number
  readonly idleSince: number
  join(party: Party): void
  /** Carries a request; exactly one answer comes by `hear`. */
  call(party: Party, request: RpcRequest): void
  /** Resolves once the server has it, so that what is asked next cannot overtake it; never rejects. */
  notify(party: Party, notification: RpcNotification): Promise<void>
  /** The party's answer to a request of the server. */
  reply(party: Party, answer: RpcAnswer): void
  listen(): void
  /** Forgets the party and cancels what it still waits for. */
  leave(party: Party): void
  /** Lets a party go that may not speak over it any more; what it waits for is answered with a refusal. */
  expel(party: Party): void
  /** Gives up what is silent for too long, where the conduit does not. */
  sweep(): void
  close(): Promise<void>
}

export interface LinkOptions {
  slug: string
  shared: boolean
  /** How long a server may take for `initialize`, ms. */
  timeout: number
  /** How long a call may be silent, ms; null = the conduit gives it up, as it sees every byte and not only messages. */
  silence: number | null
  clock(): number
  /** Ids of requests to clients, unique in the process. */
  nextId(): string
  /** Told what callers are not told of a fault. */
  troubled(fault: UpstreamFault): void
}

interface Call {
  party: Party
  id: RequestId
  progress: unknown
  touched: number
}

/** Messages under way to a server that get no answer; each may take a connection, and a server can provoke any number. */
const mostSending = 100

/** Opens a link with `initialize`. Rejects with `UpstreamFault` or `InitializeRefused`. */
export async function openLink(
  open: OpenConduit,
  params: Record<string, unknown>,
  { slug, shared, timeout, silence, clock, nextId, troubled }: LinkOptions,
): Promise<Link> {
  const calls = new Map<number, Call>()
  const questions = makeQuestions(nextId)
  const parties = new Set<Party>()
  const subscriptions = makeSubscriptions()
  /** The tokens that spoke over it, of which two are as good as many. */
  const holders = new Set<string>()
  let sending = 0
  let last = 0
  let over = false
  let idleSince = clock()
  let about: Record<string, unknown> = {}
  const conduit: Conduit = await open({
    message: (message, within) => hear(message as RpcMessage, within),
    failed: (id, fault) => fail(id as number, fault),
    closed(fault) {
      if (!over) troubled(fault)
      end(fault)
    },
  })

  function hear(message: RpcMessage, within?: RequestId): void {
    const call = within === undefined ? undefined : calls.get(within as number)
    if (call !== undefined) call.touched = clock()
    if (isAnswer(message)) answered(message)
    else if (isRequest(message)) ask(message, call)
    else if (message.method === 'notifications/progress') progress(message)
    else if (message.method === 'notifications/cancelled') taken(message)
    else for (const party of concerned(message, call)) party.hear(link, { ...message }, call?.id)
  }

  /** Whose a notification is; between several parties nobody hears what could be of another. */
  function concerned({ method, params }: RpcNotification, call: Call | undefined): Party[] {
    if (method.endsWith('/list_changed')) return [...parties]
    if (method === 'notifications/resources/updated' && shared) return subscriptions.of(params?.['uri'])
    const party = call?.party ?? sole()
    return party === undefined ? [] : [party]
  }

  function answered(answer: RpcAnswer): void {
    const call = calls.get(answer.id as number)
    // The late answer of a call that was given up.
    if (call === undefined) return
    calls.delete(answer.id as number)
    idleSince = clock()
    call.party.hear(link, { ...answer, id: call.id }, call.id)
  }

  function progress(message: RpcNotification): void {
    const call = calls.get(message.params?.['progressToken'] as number)
    if (call === undefined) return
    call.touched = clock()
    const params = { ...message.params, progressToken: call.progress }
    call.party.hear(link, { ...message, params }, call.id)
  }

  /** The only party there is; where other tokens spoke too, what the server says late could be about them. */
  function sole(): Party | undefined {
    const [first] = parties
    return parties.size === 1 && holders.size < 2 ? first : undefined
  }

  function ask(request: RpcRequest, call: Call | undefined): void {
    if (request.method === 'ping') return void send({ jsonrpc: '2.0', id: request.id, result: {} })
    const party = call?.party ?? sole()
    const asked = questions.ask(party, request)
    if ('refused' in asked) void send(asked.refused)
    else party?.hear(link, asked.told, call?.id)
  }

  /** The server takes a request of its own back. */
  function taken(message: RpcNotification): void {
    for (const { party, told } of questions.takeBack(message)) party.hear(link, told)
  }

  function fail(id: number, fault: UpstreamFault): void {
    const call = calls.get(id)
    if (call === undefined) return
    // Who opens it tells of what went wrong with that.
    if (!over && call.party.holder !== null) troubled(fault)
    // A server that is only slow should not go on for nobody.
    if (fault.problem === 'timeout' && !over) void send(cancelled(id))
    if (call.party.failed === undefined) answered({ ...faultAnswer(call.id, slug, fault), id })
    else {
      calls.delete(id)
      idleSince = clock()
      call.party.failed(fault)
    }
  }

  function end(fault: UpstreamFault): void {
    if (over) return
    over = true
    for (const id of [...calls.keys()]) fail(id, fault)
    for (const party of [...parties]) party.lost(link, fault)
    parties.clear()
  }

  async function send(message: RpcMessage): Promise<void> {
    const asks = isRequest(message)
    // Only by this does the conduit know that a call is given up, and of each there is one.
    const givesUp = 'method' in message && message.method === 'notifications/cancelled'
    if (!asks && !givesUp && sending >= mostSending) return
    sending += asks ? 0 : 1
    try {
      await conduit.send(message as never)
    } catch (error) {
      if (asks) fail(message.id as number, asFault(error))
    } finally {
      sending -= asks ? 0 : 1
    }
  }

  function cancel(party: Party, notification: RpcNotification): void {
    const number = numberOf(party, notification.params?.['requestId'])
    if (number === undefined) return
    void send({ ...notification, params: { ...notification.params, requestId: number } })
    answered({ ...failure(number, rpc.cancelled, 'The call was cancelled.') })
  }

  function spoke({ holder }: Party): void {
    if (holder !== null && holders.size < 2) holders.add(holder)
  }

  function numberOf(party: Party, id: unknown): number | undefined {
    for (const [number, call] of calls) if (call.party === party && call.id === id) return number
    return undefined
  }

  function leave(party: Party): void {
    for (const [number, call] of [...calls]) {
      if (call.party !== party) continue
      calls.delete(number)
      if (!over) void send(cancelled(number))
    }
    for (const answer of questions.leave(party)) if (!over) void send(answer)
    subscriptions.leave(party)
    parties.delete(party)
    idleSince = clock()
  }

  const link: Link = {
    slug,
    shared,
    get about() {
      return about
    },
    get over() {
      return over
    },
    get users() {
      return parties.size + calls.size
    },
    get idleSince() {
      return idleSince
    },
    join(party) {
      spoke(party)
      parties.add(party)
    },
    call(party, request) {
      spoke(party)
      last += 1
      const meta = objectIn(request.params, '_meta')
      const { progressToken } = meta
      calls.set(last, { party, id: request.id, progress: progressToken, touched: clock() })
      // Who does not stay hears of nothing later.
      const own = parties.has(party) ? subscriptions.answer(party, { ...request, id: last }) : undefined
      if (over) fail(last, new UpstreamFault('session_ended', 'the link is over'))
      else if (own !== undefined) answered(own)
      else if (progressToken === undefined) void send({ ...request, id: last })
      else {
        const params = { ...request.params, _meta: { ...meta, progressToken: last } }
        void send({ ...request, id: last, params })
      }
    },
    async notify(party, notification) {
      if (notification.method === 'notifications/cancelled') cancel(party, notification)
      else if (!shared) await send(notification)
    },
    reply(party, answer) {
      const told = questions.answer(party, answer)
      if (told !== undefined) void send(told)
    },
    listen: () => conduit.listen(),
    leave,
    expel(party) {
      const waiting = [...calls].filter(([, call]) => call.party === party)
      leave(party)
      for (const [, { id }] of waiting) party.hear(link, failure(id, refusedCode, 'Forbidden'), id)
    },
    sweep() {
      if (silence === null) return
      const silent = clock() - silence
      for (const [number, { touched }] of [...calls]) {
        if (touched > silent) continue
        fail(number, new UpstreamFault('timeout', `silent for ${silence} ms`))
      }
    },
    async close() {
      end(new UpstreamFault('session_ended', 'the gateway closed the link'))
      await conduit.close()
    },
  }

  try {
    about = await introduce(link, params, timeout)
    if (shared) await send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    return link
  } catch (error) {
    await conduit.close()
    throw error
  }
}

function cancelled(requestId: number): RpcNotification {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }
}
