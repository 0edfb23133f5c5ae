import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, trailOf } from '../../support/world.ts'
import { made, openWorld, type Project, refused, type World } from './support.ts'
import { table } from './table.ts'

const minute = 60_000
const tables = ['configs', 'servers', 'projects', 'project_members', 'users', 'tokens', 'revocations']

interface Try {
  line: string
  body: (n: string) => object
  /** A body that asks for something else. */
  other: (n: string) => object
  /** The id of what it made. */
  id: (data: Record<string, string>) => string | undefined
  /** Gives it what it needs before. */
  ready?: () => Promise<unknown>
}

describe.each(databases)('retries on $name', (database) => {
  let world: World
  let project: Project
  let second: string
  let tries: Try[]
  beforeAll(async () => {
    world = await openWorld(database)
    project = await world.project()
    second = (await world.op('create_management_key', { name: 'second', role: 'admin' }))['secret']
    const { config_id, project_id, user_id, key } = project
    const users: string[] = []
    tries = [
      {
        line: 'POST /configs',
        body: (n) => ({ config_name: `C ${n}` }),
        other: (n) => ({ config_name: `Another ${n}` }),
        id: ({ config_id }) => config_id,
      },
      {
        line: 'POST /configs/copy',
        body: (n) => ({ source_config: config_id, target_config: `Copy ${n}` }),
        other: (n) => ({ source_config: config_id, target_config: `Another copy ${n}` }),
        id: ({ config_id }) => config_id,
      },
      {
        line: 'POST /configs/import',
        body: (n) => ({ config_name: `Import ${n}`, data: { config: { mcp_config: [] } } }),
        other: (n) => ({ config_name: `Import ${n}`, data: { config: { mcp_config: [], created_at: 'x' } } }),
        id: ({ config_id }) => config_id,
      },
      {
        line: `POST /configs/${config_id}/servers`,
        body: (n) => ({ server_name: `S ${n}`, server_command: 'npx', env: { A: 'x' } }),
        other: (n) => ({ server_name: `S ${n}`, server_command: 'npx', env: { A: 'y' } }),
        id: ({ server_id }) => server_id,
      },
      {
        line: 'POST /projects',
        body: (n) => ({ project_name: `P ${n}` }),
        other: (n) => ({ project_name: `Another ${n}` }),
        id: ({ project_id }) => project_id,
      },
      {
        line: `POST /projects/${project_id}/users`,
        body: (n) => ({ user_id: users[Number(n)] }),
        other: () => ({ user_id }),
        id: ({ project_id }) => project_id,
        ready: async () => {
          const { user_id } = await world.user()
          users.push(user_id)
        },
      },
      {
        line: 'POST /users',
        body: (n) => ({ email: `u${n}@example.com` }),
        other: (n) => ({ email: `another${n}@example.com` }),
        id: ({ user_id }) => user_id,
      },
      {
        line: `POST /users/${user_id}/api-keys`,
        body: () => ({ project_id }),
        other: () => ({ project_name: project.project_name }),
        id: ({ api_key_id }) => api_key_id,
      },
      {
        line: 'POST /api-keys/rotate',
        body: () => ({ api_key: key.api_key_id }),
        other: () => ({ api_key: key.api_key_id, grace_seconds: 5 }),
        id: ({ api_key_id }) => api_key_id,
      },
    ]
  })
  afterAll(() => world.close())

  let used = 0
  const fresh = () => {
    used += 1
    return { 'idempotency-key': `key-number-${used}-0123456789` }
  }

  it('every route of the table that makes something, and rotate, is tried here', () => {
    const makes = table.filter(({ says, line }) => Array.isArray(says) || line.endsWith('/rotate'))
    const tried = tries.map(({ line }) => line.replace(/(cfg|proj|usr)_\w{22}/g, '*'))
    expect(tried.sort()).toEqual(makes.map(({ line }) => line.replace(/\{\w\}/g, '*')).sort())
  })

  it(`${verifies('enkrypt:wire:retry:same-answer')} R47: the same key and body within 10 minutes get the same bytes, and nothing is made again`, async () => {
    for (const { line, body, ready } of tries) {
      await ready?.()
      const headers = fresh()
      const first = await world.admin(line, body('0'), headers)
      expect([line, first.status]).toEqual([line, line.endsWith('/rotate') ? 200 : 201])
      const before = await contents(world.beside, tables)
      const trail = await trailOf(world.beside, async () => {
        world.running.clock.pass(9 * minute)
        const again = await world.admin(line, body('0'), headers)
        expect([line, again.status, again.text]).toEqual([line, first.status, first.text])
      })
      expect(trail).toEqual([])
      expect(await contents(world.beside, tables)).toBe(before)
    }
  })

  it(`${verifies('enkrypt:wire:retry:same-answer')} R47: two that come at the same time get one answer, and a secret in it works`, async () => {
    const { user_id, project_id } = project
    const headers = fresh()
    const ask = () => world.operator(`POST /users/${user_id}/api-keys`, { project_id }, headers)
    const [one, two] = await Promise.all([ask(), ask()])
    expect([one.status, two.status, two.text]).toEqual([201, 201, one.text])
    expect((await world.as(one.json.data.api_key)('GET /configs')).status).toBe(200)
  })

  it(`${verifies('enkrypt:wire:retry:same-answer')} R47: the kept answer is sealed, and another caller has no part in it`, async () => {
    const { user_id, project_id } = project
    const line = `POST /users/${user_id}/api-keys`
    const headers = fresh()
    const first = await made(world.admin(line, { project_id }, headers))
    const kept = await world.beside.core.store.read.selectFrom('idempotency').selectAll().execute()
    expect(kept.length).toBeGreaterThan(0)
    for (const row of kept) {
      expect(row.sealed?.includes(first['api_key'].slice(5, 21))).not.toBe(true)
      expect(JSON.stringify(row)).not.toContain(headers['idempotency-key'])
    }
    const theirs = await made(world.as(second)(line, { project_id }, headers))
    expect(theirs['api_key_id']).not.toBe(first['api_key_id'])
    const taken = { config_name: world.fresh('sealed') }
    expect((await world.admin('POST /configs', taken, headers)).status).toBe(201)
    expect(refused(await world.as(second)('POST /configs', taken, headers))[0]).toBe(409)
    // A caller that may not do it any more gets no answer from before either.
    expect(refused(await world.reader('POST /configs', taken, headers))[0]).toBe(403)
  })

  it(`${verifies('enkrypt:wire:retry:already-done')} R47: later it is 409 with the id, for a day; after that the key is new`, async () => {
    for (const { line, body, id, ready } of tries) {
      await ready?.()
      const headers = fresh()
      const { data } = (await world.admin(line, body('1'), headers)).json
      const before = await contents(world.beside, tables)
      for (const pass of [10 * minute, 24 * 60 * minute - 10 * minute - 1]) {
        world.running.clock.pass(pass)
        const [status, detail] = refused(await world.admin(line, body('1'), headers))
        expect([line, status, detail]).toEqual([line, 409, expect.stringMatching(/^already_done/)])
        expect(detail).toContain(id(data))
      }
      expect(await contents(world.beside, tables)).toBe(before)
      world.running.clock.pass(1)
      const late = await world.admin(line, body('1'), headers)
      expect([line, late.text]).toEqual([line, expect.not.stringContaining('already_done')])
    }
  })

  it(`${verifies('enkrypt:wire:retry:other-body')} R47: the same key with another body is 409, and nothing is done`, async () => {
    for (const { line, body, other, ready } of tries) {
      await ready?.()
      const headers = fresh()
      expect((await world.admin(line, body('2'), headers)).status).toBeLessThan(300)
      const before = await contents(world.beside, tables)
      const refusal = refused(await world.admin(line, other('2'), headers))
      expect([line, ...refusal]).toEqual([line, 409, expect.stringContaining('idempotency key')])
      expect(await contents(world.beside, tables)).toBe(before)
    }
    // A key belongs to what it was sent with: another route takes it as its own.
    const headers = fresh()
    expect((await world.admin('POST /configs', { config_name: 'Both' }, headers)).status).toBe(201)
    expect((await world.admin('POST /projects', { project_name: 'Both' }, headers)).status).toBe(201)
  })

  it('R47: a key that is too short is refused by its own name', async () => {
    for (const key of ['short', 'x'.repeat(129), 'with a blank 0123456789']) {
      const refusal = refused(
        await world.admin('POST /configs', { config_name: 'x' }, { 'idempotency-key': key }),
      )
      expect(refusal).toEqual([400, expect.stringContaining('Idempotency-Key')])
    }
  })
})
