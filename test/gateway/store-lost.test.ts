import { renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../support/databases.ts'
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts'
import { type Guarded, openGuarded } from './guarded.ts'

const echo = (name: string) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: { text: 'hi' } },
})

describe.each(['sqlite', 'postgres'] as const)('R18: a gateway whose store is gone, %s', (engine) => {
  let guarded: Guarded
  let postgres: PostgresServer | undefined
  let lose: () => unknown
  beforeAll(async () => {
    const sqlite = database('sqlite')
    if (engine === 'postgres') {
      const server = await startPostgres()
      postgres = server
      lose = () => server.freeze()
      const fresh = async () => ({ ...(await sqlite.fresh()), location: `${server.url}/postgres` })
      guarded = await openGuarded({ name: 'postgres', fresh })
    } else {
      guarded = await openGuarded(sqlite)
      lose = () => renameSync(guarded.place.location, `${guarded.place.location}.away`)
    }
  })
  afterAll(async () => {
    await postgres?.stop().catch(() => undefined)
    await guarded.close().catch(() => undefined)
  })

  it('lets nothing through: 503 with Retry-After in bounded time, for sessions too, and no server is asked', async () => {
    const { secret } = await guarded.token({ all_servers: true })
    const initialize = {
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    }
    const opened = await guarded.rpc('/servers/alpha/mcp', secret, initialize)
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    expect((await guarded.rpc('/servers/alpha/mcp', secret, echo('echo'), session)).status).toBe(200)
    const frozen = lose()
    // A file that is moved away is noticed within this time.
    if (engine === 'sqlite') await sleep(2_000)
    const asked = guarded.alpha.asked.length
    try {
      for (const [path, name, headers] of [
        ['/servers/alpha/mcp', 'echo', {}],
        ['/servers/alpha/mcp', 'echo', session],
        ['/gateway/mcp', 'alpha__echo', {}],
      ] as const) {
        const started = performance.now()
        const { status, json, headers: told } = await guarded.rpc(path, secret, echo(name), headers)
        expect(performance.now() - started).toBeLessThan(5_000)
        expect([path, status, json.id, json.error.code, told.get('retry-after')]).toEqual([
          path,
          503,
          null,
          -32603,
          '5',
        ])
        expect(JSON.stringify(json)).not.toMatch(/SQLITE|tokenwright\.db|select|127\.0\.0\.1/)
      }
      expect(guarded.alpha.asked.length).toBe(asked)
    } finally {
      if (typeof frozen === 'object' && frozen !== null && 'thaw' in frozen) (frozen.thaw as () => void)()
    }
  })
})
