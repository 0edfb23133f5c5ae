import { expect, it } from 'vitest'
import { defaultLimits } from '../../src/http/limits.ts'
import { database } from '../support/databases.ts'
import { openGuarded } from './guarded.ts'

const echo = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: 'hi' } },
}
const ways: [what: string, method: string, body: object | undefined][] = [
  ['a call', 'POST', echo],
  ['a call no rule can judge', 'POST', { ...echo, params: {} }],
  ['a notification', 'POST', { jsonrpc: '2.0', method: 'notifications/initialized' }],
  ['a stream', 'GET', undefined],
  ['the end of a session', 'DELETE', undefined],
]

it.each(ways)(
  'R29: %s is one request of its credential at the gateway: of 12 at once 5 pass a limit of 5 a second',
  async (_, method, body) => {
    const guarded = await openGuarded(database('sqlite'), {
      limits: { ...defaultLimits, requestsPerSecond: 5 },
    })
    try {
      const { secret } = await guarded.token({ all_servers: true })
      const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => guarded.send('/servers/alpha/mcp', init)),
      )
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(7)
    } finally {
      await guarded.close()
    }
  },
)
