import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { update_settings } from '../../tools/system/update_settings.ts'
import { databases } from '../support/databases.ts'
import { contents, makeToken, trailOf } from '../support/world.ts'
import { type McpServer, startMcp } from './server.ts'

const most = 100

describe.each(databases)('many tokens over MCP on $name', (database) => {
  let server: McpServer
  beforeAll(async () => {
    server = await startMcp({ toolsets: ['bulk'] }, database)
    for (let at = 0; at < most + 3; at++) await makeToken(server.instance, { name: `due ${at}` })
    server.instance.clock.pass(2 * 86_400_000)
  })
  afterAll(() => server.close())

  async function confirmOf(client: Awaited<ReturnType<McpServer['client']>>) {
    const args = { older_than_days: 1, dry_run: true }
    const { structuredContent } = await client.callTool({ name: 'rotate_due_tokens', arguments: args })
    return (structuredContent as { preview: { confirm: string } }).preview.confirm
  }

  it('a call that is cancelled half way leaves every token as it was', async () => {
    const client = await server.client(await server.key('operator'))
    const args = { older_than_days: 1, confirm: await confirmOf(client) }
    const tables = ['token_groups', 'links', 'revocations', 'audit']
    const secrets = () =>
      server.instance.core.store.read
        .selectFrom('tokens')
        .select(['id', 'generation'])
        .where('kind', '=', 'access')
        .orderBy('id')
        .execute()
    const before = [await contents(server.instance, tables), await secrets()]
    const giveUp = new AbortController()
    const told: number[] = []
    const call = client.callTool({ name: 'rotate_due_tokens', arguments: args }, undefined, {
      signal: giveUp.signal,
      onprogress({ progress }) {
        told.push(progress)
        if (progress === 5) giveUp.abort()
      },
    })
    await expect(call).rejects.toThrow()
    // Whatever is in flight holds the turn of writers, so this comes behind it.
    await server.instance.core.store.write(async () => undefined)
    expect(told.length).toBeLessThan(most)
    expect([await contents(server.instance, tables), await secrets()]).toEqual(before)
  })

  it('progress is told token by token, of the change alone, and the answer says what remains', async () => {
    const client = await server.client(await server.key('operator'))
    const args = { older_than_days: 1, confirm: await confirmOf(client) }
    const told: unknown[] = []
    const rows = await trailOf(server.instance, async () => {
      const done = await client.callTool({ name: 'rotate_due_tokens', arguments: args }, undefined, {
        onprogress: (progress) => void told.push(progress),
      })
      expect(done.structuredContent).toMatchObject({ rotated: most, refused: 0, remaining: 3 })
      expect(JSON.stringify(done)).not.toMatch(/mcpt_\w{30}/)
    })
    expect(told).toEqual(Array.from({ length: most }, (_, at) => ({ progress: at + 1, total: most })))
    expect(rows.filter(({ action }) => action === 'rotate_due_tokens')).toHaveLength(1)
    expect(rows.filter(({ action }) => action === 'rotate_token')).toHaveLength(most)
    expect(rows).toHaveLength(most + 1)
  })

  it('revoke_tokens tells how far it is, and a call that is given up on the way ends no token', async () => {
    const { call: operate, core } = server.instance
    await operate('admin', update_settings, { destructive_per_hour: null })
    const idle = 600
    for (let at = 0; at < idle; at++) await makeToken(server.instance, { name: `idle ${at}` })
    const client = await server.client(await server.key('operator'))
    const call = (args: object, options = {}) =>
      client.callTool({ name: 'revoke_tokens', arguments: { text: 'idle', ...args } }, undefined, options)
    const { preview } = (await call({ dry_run: true })).structuredContent as { preview: { confirm: string } }
    const { confirm } = preview
    const live = async () => {
      const rows = core.store.read.selectFrom('tokens').select('id').where('revoked_at', 'is', null)
      return (await rows.where('name', 'like', 'idle %').execute()).length
    }
    const giveUp = new AbortController()
    const abandoned = call({ confirm }, { signal: giveUp.signal, onprogress: () => giveUp.abort() })
    await expect(abandoned).rejects.toThrow()
    await core.store.write(async () => undefined)
    expect(await live()).toBe(idle)
    const told: number[] = []
    const onprogress = ({ progress }: { progress: number }) => told.push(progress)
    const done = await call({ confirm }, { onprogress })
    expect([done.content, done.structuredContent]).toMatchObject([[{}], { revoked: idle }])
    expect(told).toEqual([100, 200, 300, 400, 500, 600])
    expect(await live()).toBe(0)
  })
})
