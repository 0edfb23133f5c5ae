import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { generations, sdkError, sdkOf } from './sdk.ts'
import { openWorld, unknownId, type World } from './world.ts'

describe.each(databases)('the published Node SDK on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  describe.each(generations)('speaking $version', (generation) => {
    const client = (apiKey = world.keys.admin) => sdkOf(generation, { apiKey, apiHost: world.running.url })

    it(`${verifies('metorial:client:node-sdk:end-to-end')} drives the life of tokens and groups from end to end`, async () => {
      const { tokens, groups, servers } = client()
      const server = await servers.create({ name: 'Weather', description: 'd', metadata: { a: 1 } })
      const group = await groups.create({ name: 'Weather', metadata: { a_b: { c_d: 1 } } })
      expect(group).toMatchObject({
        object: 'magic_mcp.group',
        status: 'active',
        metadata: { a_b: { c_d: 1 } },
      })
      expect(group.createdAt).toBeInstanceOf(Date)
      await groups.addServers(group.id, { magicMcpServerIds: [server.id] })

      const token = await tokens.create({
        name: 'CI',
        description: 'nightly',
        metadata: { x_y: [1] },
        groupIds: [group.id],
      })
      expect(token).toMatchObject({
        object: 'magic_mcp.token',
        status: 'active',
        name: 'CI',
        description: 'nightly',
        metadata: { x_y: [1] },
        groups: [group],
        secret: expect.stringMatching(/^mcpt_/),
      })
      expect(token.createdAt).toBeInstanceOf(Date)
      // Members of ours pass through untouched.
      expect(token).toMatchObject({
        access: { all_servers: false },
        secret_redacted: expect.any(String),
        disabled: false,
      })

      expect(await tokens.get(token.id)).toEqual({ ...token, secret: '' })
      const opened = await world.running.call('validate_token', { token: token.secret, server: server.id })
      expect(opened.json.valid).toBe(true)
      const updated = await tokens.update(token.id, { name: 'CI 2', metadata: { z: true } })
      expect(updated).toMatchObject({
        id: token.id,
        name: 'CI 2',
        description: 'nightly',
        metadata: { z: true },
      })
      const second = await groups.create({ name: 'Second' })
      const added = await tokens.addGroups(token.id, { magicMcpGroupIds: [second.id] })
      expect(added.groups.map(({ id }) => id)).toEqual([group.id, second.id])
      const removed = await tokens.removeGroups(token.id, { magicMcpGroupIds: [group.id] })
      expect(removed.groups.map(({ id }) => id)).toEqual([second.id])
      const deleted = await tokens.delete(token.id)
      expect(deleted).toMatchObject({ id: token.id, status: 'deleted', secret: '' })
      expect(await tokens.get(token.id)).toEqual(deleted)

      expect((await groups.get(group.id)).id).toBe(group.id)
      expect(await groups.update(group.id, { description: 'new' })).toMatchObject({
        name: 'Weather',
        description: 'new',
      })
      expect((await groups.removeServers(group.id, { magicMcpServerIds: [server.id] })).id).toBe(group.id)
      const found = await groups.list({ search: 'second' })
      expect(found.items.map(({ id }) => id)).toContain(second.id)
      expect((await groups.delete(second.id)).status).toBe('deleted')

      const [endpoint] = server.endpoints
      expect(endpoint).toMatchObject({
        id: server.id,
        url: `${world.running.url}/servers/${endpoint?.alias}/mcp`,
      })
      expect(await servers.get(server.id)).toEqual(server)
      expect((await servers.update(server.id, { name: 'Renamed' })).name).toBe('Renamed')
      expect((await servers.list({ search: 'renamed' })).items.map(({ id }) => id)).toEqual([server.id])
      expect((await servers.delete(server.id)).status).toBe('deleted')
    })

    it(`${verifies('metorial:client:node-sdk:end-to-end', 'metorial:tokens:list:array-encodings')} pages in both directions and sends every filter`, async () => {
      const { tokens, groups } = client()
      const [group, other] = [await groups.create({ name: 'pages' }), await groups.create({ name: 'pages' })]
      const made: string[] = []
      for (let n = 0; n < 7; n += 1)
        made.push((await tokens.create({ name: `page ${n}`, groupIds: [(n < 5 ? group : other).id] })).id)
      await tokens.delete(made[1] ?? '')
      type Query = Parameters<typeof tokens.list>[0]
      const list = async (query: Query) => {
        const { items, pagination } = await tokens.list({ magicMcpGroupId: [group.id, other.id], ...query })
        return [items.map(({ id }) => made.indexOf(id)), pagination.hasMoreBefore, pagination.hasMoreAfter]
      }
      expect(await list({})).toEqual([[0, 1, 2, 3, 4, 5, 6], false, false])
      expect(await list({ limit: 3 })).toEqual([[0, 1, 2], false, true])
      expect(await list({ limit: 3, after: made[2] ?? '' })).toEqual([[3, 4, 5], true, true])
      expect(await list({ limit: 3, before: made[5] ?? '' })).toEqual([[2, 3, 4], true, true])
      expect(await list({ limit: 2, order: 'desc' })).toEqual([[6, 5], false, true])
      expect(await list({ limit: 2, order: 'desc', before: made[3] ?? '' })).toEqual([[5, 4], true, true])
      expect(await list({ status: 'active' })).toEqual([[0, 2, 3, 4, 5, 6], false, false])
      expect(await list({ status: ['deleted'] })).toEqual([[1], false, false])
      expect(await list({ status: ['active', 'deleted'] })).toEqual([[0, 1, 2, 3, 4, 5, 6], false, false])
      expect(await list({ magicMcpGroupId: other.id })).toEqual([[5, 6], false, false])
      const many = Array.from({ length: 99 }, (_, n) => `mggr_none${n}`)
      expect(await list({ magicMcpGroupId: [...many, other.id] })).toEqual([[5, 6], false, false])
      const visited: string[] = []
      for (let after: string | undefined; ; ) {
        const page = await tokens.list({ limit: 2, magicMcpGroupId: group.id, ...(after ? { after } : {}) })
        visited.push(...page.items.map(({ id }) => id))
        if (!page.pagination.hasMoreAfter) break
        after = page.items.at(-1)?.id
      }
      expect(visited).toEqual(made.slice(0, 5))
      expect(new Set((await tokens.list({ limit: 100 })).items.map(({ secret }) => secret))).toEqual(
        new Set(['']),
      )
    })

    it(`${verifies('metorial:client:node-sdk:end-to-end')} reads every error, and none is foreign to it`, async () => {
      const { tokens, groups, manager } = client()
      const gone = await tokens.create({ name: 'gone' })
      await tokens.delete(gone.id)
      const group = await groups.create({ name: 'gone' })
      await groups.delete(group.id)
      const errors: [() => Promise<unknown>, object][] = [
        [
          () => tokens.get(unknownId.token),
          { status: 404, code: 'not_found', entity: 'magic_mcp.token', id: unknownId.token },
        ],
        [() => tokens.get('a/b'), { status: 404, code: 'not_found', entity: 'endpoint' }],
        [() => tokens.get(''), { status: 404, code: 'not_found', entity: 'endpoint' }],
        [() => tokens.delete(''), { status: 404, code: 'not_found', entity: 'endpoint' }],
        [
          () => tokens.delete(gone.id),
          { status: 412, code: 'precondition_failed', entity: 'magic_mcp.token' },
        ],
        [() => tokens.update(gone.id, {}), { status: 412, code: 'precondition_failed' }],
        [() => groups.delete(group.id), { status: 410, code: 'gone', entity: 'magic_mcp.group' }],
        [
          () => tokens.create({ name: 'x', groupIds: [group.id] }),
          { status: 412, entity: 'magic_mcp.group' },
        ],
        [
          () => tokens.list({ cursor: 'x' }),
          { status: 400, code: 'bad_request', message: 'Invalid cursor format' },
        ],
        [() => client('wrong').tokens.list(), { status: 401, code: 'unauthorized' }],
        [() => client(world.keys.reader).tokens.create({ name: 'x' }), { status: 403, code: 'forbidden' }],
      ]
      for (const [call, told] of errors) {
        const error = await sdkError(call())
        expect(error.response).toMatchObject(told)
        expect(`${error.code} - ${error.message}`).not.toContain('undefined')
      }
      const missing = await sdkError(tokens.create({} as { name: string }))
      expect([missing.code, missing.entity, missing.validationErrors]).toEqual([
        'invalid_data',
        'body',
        [
          {
            code: 'invalid_type',
            message: 'Required',
            expected: 'string',
            received: 'undefined',
            path: ['name'],
          },
        ],
      ])
      const limit = await sdkError(tokens.list({ limit: 101 }))
      expect([limit.entity, limit.validationErrors?.[0]]).toMatchObject([
        'query',
        { code: 'invalid_max', max: 100, path: ['limit'] },
      ])
      const large = manager._post({
        path: 'magic-mcp-tokens',
        body: { name: 'x', metadata: { a: 'y'.repeat(270_000) } },
      })
      const error = await sdkError(large.transform({ transformFrom: (answer) => answer }))
      expect([error.code, error.reason]).toEqual(['bad_request', 'body_too_large'])
    })

    it(`${verifies('metorial:client:node-sdk:end-to-end', 'metorial:tokens:create:group-ids-both-spellings')} creates in the 3.x form as well`, async () => {
      const { groups, servers, manager } = client()
      const [group, server] = [await groups.create({ name: '3.x' }), await servers.create({ name: '3.x' })]
      const body = { name: '3.x', magic_mcp_group_ids: [group.id], magic_mcp_server_id: server.id }
      const token = await manager._post({ path: 'magic-mcp-tokens', body }).transform({
        transformFrom: (answer: { groups: { id: string }[]; access: object; secret: string }) => answer,
      })
      expect(token.groups.map(({ id }) => id)).toEqual([group.id])
      expect(token.access).toEqual({ all_servers: false, magic_mcp_server_ids: [server.id] })
      expect(token.secret).toMatch(/^mcpt_/)
    })

    it(`${verifies('metorial:client:cli:first-secret')} finds no usable secret in the list, makes a token as the CLI does, and it works`, async () => {
      const { tokens } = client()
      const listed = await tokens.list({ limit: 100 })
      expect(listed.items.length).toBeGreaterThan(0)
      const first = listed.items.find(({ secret }) => secret)
      const token = first ?? (await tokens.create({ name: 'Default Token' }))
      expect(first).toBeUndefined()
      const own = await client(token.secret).tokens.get(token.id)
      expect([own.id, own.status]).toEqual([token.id, 'active'])
      const verdict = await world.running.call('validate_token', { token: token.secret })
      expect(verdict.json.valid).toBe(true)
    })

    it('is content with a base URL with or without a slash', async () => {
      for (const apiHost of [`${world.running.url}/`, world.running.url]) {
        const { tokens } = sdkOf(generation, { apiKey: world.keys.reader, apiHost })
        expect((await tokens.list({ limit: 1 })).items).toHaveLength(1)
      }
    })
  })

  it(`${verifies('metorial:wire:rate-limit:retry-after')} waits as long as a 429 asks for, and is let in afterwards`, async () => {
    const wrong = world.as('mcpt_wrong')
    for (let n = 0; n < 130; n += 1) if ((await wrong('GET /magic-mcp-tokens')).status === 429) break
    let attempts = 0
    let apiKey = 'mcpt_wrong'
    const { tokens } = sdkOf(generations[1], {
      apiKey,
      apiHost: world.running.url,
      async fetch(input, init) {
        const headers = new Headers(init?.headers)
        headers.set('authorization', `Bearer ${apiKey}`)
        const answer = await fetch(input, { ...init, headers })
        attempts += 1
        return answer
      },
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const answered = tokens.list({ limit: 1 })
      const turns = async (goOn: () => boolean) => {
        while (goOn()) await new Promise((resolve) => setImmediate(resolve))
      }
      for (const attempt of [1, 2]) {
        await turns(() => attempts < attempt)
        let left = 20
        await turns(() => left-- > 0)
        if (attempt === 2) apiKey = world.keys.reader
        // The five seconds of the answer and the three of its own.
        await vi.advanceTimersByTimeAsync(7_999)
        expect(attempts).toBe(attempt)
        await vi.advanceTimersByTimeAsync(1)
      }
      expect([(await answered).items.length, attempts]).toEqual([1, 3])
    } finally {
      vi.useRealTimers()
    }
  })
})
