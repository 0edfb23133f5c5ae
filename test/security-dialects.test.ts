import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from './http/serving.ts'
import { type Send, sendAs } from './rest/support.ts'
import { databases } from './support/databases.ts'

describe.each(databases)('attacks through the dialects on $name', (database) => {
  let running: Running
  let admin: Send
  beforeAll(async () => {
    running = await openServing(database)
    admin = sendAs(running, running.adminKey)
    await admin('POST /api/v1/configs', { config_name: 'tools' })
  })
  afterAll(() => running.close())

  describe('R32: a name that a caller chose is not told back where it may be a secret or is no plain name', () => {
    const hidden = '(a name that is not shown)'
    const server = (more: object) => ({ server_name: 's', server_command: 'c', ...more })
    it.each([
      ['a secret', () => running.adminKey],
      ['a secret in a longer name', () => `x.${running.adminKey}.y`],
      ['a long name', () => 'A'.repeat(5_000)],
      ['lines and overrides', () => 'a\r\nb\u202e'],
    ])('%s', async (_, make) => {
      const name = make()
      const sent: [line: string, body: object][] = [
        ['POST /api/v1/configs/tools/servers', server({ env: { [name]: 5 } })],
        ['POST /api/v1/configs/tools/servers', server({ env: { [`${name} x`]: 'v' } })],
        ['POST /api/v1/configs/tools/servers', server({ tools: { [name.padEnd(201, 'x')]: 1 } })],
        ['POST /api/v1/configs/tools/servers', server({ tools: { [name]: '\0' } })],
        ['POST /v1/create_token', { name: 't', metadata: { [name]: { deep: '\ud800' } } }],
        ['POST /v1/set_environment', { project_id: 'p', name: 'e', variables: { [name]: 5 } }],
      ]
      for (const [line, body] of sent) {
        const { status, text } = await admin(line, body)
        expect([line, status]).toEqual([line, 400])
        expect(text).toContain(hidden)
        expect(text).not.toContain(JSON.stringify(name).slice(1, -1).slice(0, 200))
        expect(text.length).toBeLessThan(1_000)
      }
    })

    it('a plain name is told', async () => {
      const { text } = await admin('POST /api/v1/configs/tools/servers', server({ env: { 'MY.TOKEN-2': 5 } }))
      expect(text).toContain('env.MY.TOKEN-2: ')
    })
  })

  describe('R20, R24: a document of the allowed size with any number of faults is refused, shortly', () => {
    const many = <T>(count: number, make: (at: number) => T) =>
      Array.from({ length: count }, (_, at) => make(at))
    const names = (count: number) => Object.fromEntries(many(count, (at) => [`k ${at}`, 1]))
    const entry = (env: object) => ({ server_name: 's', config: { command: 'c', env } })
    const config = (mcp_config: unknown[]) => ({ config: { mcp_config } })
    it.each<[string, () => object]>([
      ['a million servers', () => config(many(1_000_000, () => 1))],
      ['300,000 variables with bad names', () => config(many(300, () => entry(names(1_000))))],
      ['an object of 20,000 members', () => names(20_000)],
      ['9,000 unknown members', () => names(9_000)],
      [
        'texts no store can hold',
        () => config([entry({}), { metadata: names(3), tools: many(9_000, () => '\0') }]),
      ],
    ])('%s', async (_, data) => {
      for (const [line, body] of [
        ['POST /api/v1/configs/import', { config_name: 'imported', data: data() }],
        ['POST /v1/import_config', { name: 'imported', data: data() }],
        ['POST /api/v1/system/restore', { data: data() }],
      ] as const) {
        const { status, text } = await admin(line, body)
        expect([line, [400, 413].includes(status)]).toEqual([line, true])
        expect(text.length).toBeLessThan(30_000)
      }
    })
  })

  it('R40, R53: a secret that was copied badly into a path is in no row of the trail and in no line of the log', async () => {
    const { json } = await running.call('create_management_key', { name: 'reader', role: 'reader' })
    const [secret, reader] = [running.adminKey, sendAs(running, json.secret)]
    for (const copied of [secret, `${secret}x`, `x${secret}`, `${secret}%0A`, secret.slice(0, -3)])
      expect((await reader(`DELETE /api/v1/api-keys/${copied}`)).status).toBe(403)
    const { text } = await running.call('list_audit_events', { action: 'revoke_token', outcome: 'denied' })
    expect(text.split('[secret]')).toHaveLength(6)
    expect(text + running.log.join('')).not.toContain(secret.slice(13, 29))
  })

  it('R38, R40: a denied attempt to make something in another thing names that thing in the trail', async () => {
    const { json } = await running.call('create_management_key', { name: 'validator', role: 'validator' })
    const validator = sendAs(running, json.secret)
    await validator('POST /api/v1/users/ann@example.com/api-keys', { project_id: 'p' })
    await validator('POST /api/v1/configs/tools/servers', { server_name: 's', server_command: 'c' })
    await validator('POST /api/v1/configs/copy', { source_config: 'tools', target_config: 'copy' })
    const { json: found } = await running.call('list_audit_events', { actor_id: json.key.id })
    const denied = (action: string, target_id: string) => ({ action, target_id, outcome: 'denied' })
    expect(found.events).toMatchObject([
      denied('copy_config', 'tools'),
      denied('add_config_server', 'tools'),
      denied('generate_user_key', 'ann@example.com'),
    ])
  })
})
