import { isJSONRPCRequest } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkMessage } from '../../src/mcp/message.ts'
import { bothTypes, type McpServer, openSession, startMcp } from './server.ts'

const modern = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

const task = 'io.modelcontextprotocol/related-task'

const base = { jsonrpc: '2.0', id: 7, method: 'tools/list' }

/** What an SDK drops without a word. */
const dropped: [string, object][] = [
  ['a member the protocol has not', { ...base, extra: 1 }],
  ['a _meta that is no object', { ...base, params: { _meta: 'x' } }],
  ['a _meta that is a list', { ...base, params: { _meta: [] } }],
  ['a _meta that is null', { ...base, params: { _meta: null } }],
  ['a progress token that is an object', { ...base, params: { _meta: { progressToken: {} } } }],
  ['a progress token that is a fraction', { ...base, params: { _meta: { progressToken: 1.5 } } }],
  ['a related task that is a number', { ...base, params: { _meta: { [task]: 5 } } }],
  ['a related task without an id', { ...base, params: { _meta: { [task]: {} } } }],
]

const heard: [string, object][] = [
  ['nothing beside its form', base],
  ['an empty _meta', { ...base, params: { _meta: {} } }],
  ['a progress token', { ...base, params: { _meta: { progressToken: 0 } } }],
  ['a related task', { ...base, params: { _meta: { [task]: { taskId: 't', more: 1 } } } }],
  ['members of others in _meta', { ...base, params: { _meta: { 'a/b': [{}] }, more: 1 } }],
]

describe('requests that no SDK would answer', () => {
  let server: McpServer
  beforeAll(async () => {
    server = await startMcp()
  })
  afterAll(() => server.close())

  it.each([...dropped, ...heard])('are told from others exactly as the SDK does: %s', (_, message) => {
    expect('message' in checkMessage(message)).toBe(isJSONRPCRequest(message))
  })

  it.each(dropped)('R20: are refused at once, in both eras and in a session: %s', async (_, message) => {
    const key = await server.key('reader')
    const session = await openSession(server, key)
    const { _meta, ...params } = 'params' in message ? (message.params as Record<string, unknown>) : {}
    const isPlain = _meta === undefined || (typeof _meta === 'object' && !Array.isArray(_meta))
    const enveloped = isPlain
      ? { ...message, params: { ...params, _meta: { ...modern, ...(_meta ?? {}) } } }
      : message
    const second = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }
    for (const [sent, headers] of [
      [message, {}],
      [message, { 'mcp-session-id': session }],
      ...(_meta === null ? [] : [[enveloped, second] as const]),
    ] as const) {
      const answer = await server.send(key, sent, { ...bothTypes, ...headers })
      expect([answer.status, await answer.json()]).toEqual([
        400,
        { jsonrpc: '2.0', id: 7, error: { code: -32600, message: expect.any(String) } },
      ])
    }
  })
})
