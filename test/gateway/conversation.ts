import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'vitest'
import type { Conduit, Hears, OpenConduit, UpstreamFault } from '../../src/gateway/conduit.ts'
import { makeFence } from '../../src/gateway/fence.ts'
import { type Agents, makeAgents } from '../../src/gateway/http/agents.ts'
import type { HttpConduit } from '../../src/gateway/http/line.ts'
import { openHttp } from '../../src/gateway/http/open.ts'
import type { Fence } from '../../src/http/fence.ts'

/** What a conduit told, in order. */
export interface Heard {
  messages: { message: JSONRPCMessage; within: RequestId | undefined }[]
  failed: { id: RequestId; fault: UpstreamFault }[]
  closed: UpstreamFault[]
}

export interface Talk<Opened extends Conduit = HttpConduit> {
  conduit: Opened
  heard: Heard
  /** Sends a request and answers what it came to: its answer, or the problem it failed or was closed with. */
  ask(method: string, params?: object): Promise<JSONRPCMessage | { problem: string; message: string }>
  /** Waits until it is so. */
  until(so: (heard: Heard) => boolean, ms?: number): Promise<void>
  initialize(): ReturnType<Talk['ask']>
}

export const hello = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}

export interface TalkOptions {
  headers?: Record<string, string>
  timeoutMs?: number
  agents?: Agents
  fence?: Fence
}

/** Opens a conduit to a server of the test on loopback. */
export function talk(url: string, options: TalkOptions = {}) {
  return talkTo(
    openHttp(
      { slug: 'test', url, headers: options.headers ?? {} },
      {
        fence: options.fence ?? makeFence({ allowed: ['127.0.0.1'] }),
        agents: options.agents ?? makeAgents(),
        timeoutMs: options.timeoutMs ?? 5_000,
      },
    ),
  )
}

/** Opens a conduit and keeps what it tells. */
export async function talkTo<Opened extends Conduit>(
  open: (hears: Hears) => Promise<Opened>,
): Promise<Talk<Opened>> {
  const heard: Heard = { messages: [], failed: [], closed: [] }
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const one of waiting) one()
  }
  const conduit = await open({
    message(message, within) {
      heard.messages.push({ message, within })
      wake()
    },
    failed(id, fault) {
      heard.failed.push({ id, fault })
      wake()
    },
    closed(fault) {
      heard.closed.push(fault)
      wake()
    },
  })
  const until = (so: (heard: Heard) => boolean, ms = 20_000) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`it did not come: ${JSON.stringify(heard)}`))
      }, ms)
      const look = () => {
        if (!so(heard)) return
        clearTimeout(timer)
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  let last = 0
  const ask: Talk['ask'] = async (method, params) => {
    last += 1
    const id = last
    const isAnswer = ({ message }: Heard['messages'][number]) => !('method' in message) && message.id === id
    await conduit.send({
      jsonrpc: '2.0',
      id,
      method,
      ...(params === undefined ? {} : { params }),
    } as JSONRPCMessage)
    await until(
      ({ messages, failed, closed }) =>
        messages.some(isAnswer) || failed.some((one) => one.id === id) || closed.length > 0,
    )
    const answer = heard.messages.find(isAnswer)
    if (answer !== undefined) return answer.message
    const fault = heard.failed.find((one) => one.id === id)?.fault ?? heard.closed[0]!
    return { problem: fault.problem, message: fault.message }
  }
  return { conduit, heard, ask, until, initialize: () => ask('initialize', hello) }
}

/** Makes a conduit the transport of the official client, which then judges whether it is one. */
export function asTransport(open: OpenConduit): Transport {
  let conduit: Conduit | undefined
  const transport: Transport = {
    async start() {
      conduit = await open({
        // The client forgets whose progress it is once it has the answer, if both come in one turn of the loop.
        message: (message) => void setImmediate(() => transport.onmessage?.(message)),
        failed: (id, fault) =>
          transport.onmessage?.({ jsonrpc: '2.0', id, error: { code: -32000, message: fault.problem } }),
        closed: () => transport.onclose?.(),
      })
    },
    async send(message) {
      await conduit?.send(message)
      if ('method' in message && message.method === 'notifications/initialized') conduit?.listen()
    },
    async close() {
      await conduit?.close()
      transport.onclose?.()
    },
  }
  return transport
}

/** The problem a request came to; fails if it was answered. */
export function problemOf(outcome: Awaited<ReturnType<Talk['ask']>>): string {
  expect(outcome).toHaveProperty('problem')
  return (outcome as { problem: string }).problem
}
