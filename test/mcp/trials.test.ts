import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create_token } from '../../tools/tokens/create_token.ts'
import { databases } from '../support/databases.ts'
import { plantGroup, plantServer } from '../support/world.ts'
import { type McpServer, startMcp } from './server.ts'

describe.each(databases)('many dry runs at once on $name', (database) => {
  let server: McpServer
  beforeAll(async () => {
    server = await startMcp({ toolsets: ['tokens', 'bulk'] }, database)
    const { id } = await plantServer(server.instance)
    const group = await plantGroup(server.instance, [id])
    for (let made = 0; made < 150; made++)
      await server.instance.call('operator', create_token, { name: 'many', access: { groups: [group] } })
  })
  afterAll(() => server.close())

  it.each([
    ['that show', { dry_run: true }],
    ['whose confirm is wrong', { confirm: '0123456789abcdef' }],
  ])('R45: another writer does not wait for those %s to end', async (_, step) => {
    const client = await server.client(await server.key('operator'))
    let ended = 0
    const trials = Array.from({ length: 24 }, async () => {
      await client.callTool({ name: 'revoke_tokens', arguments: { text: 'many', ...step } })
      ended += 1
    })
    await Promise.race(trials)
    const before = ended
    await server.instance.call('operator', create_token, { name: 'between' })
    expect(ended - before).toBeLessThanOrEqual(4)
    await Promise.all(trials)
  })
})
