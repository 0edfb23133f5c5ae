import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transaction } from '../../../src/core/transaction.ts'
import { enkrypt } from '../../../src/rest/enkrypt/dialect.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { trailOf } from '../../support/world.ts'
import { unchanged } from './state.ts'
import {
  forbidden,
  made,
  openWorld,
  type Project,
  refused,
  told,
  unauthorized,
  type World,
} from './support.ts'

const day = 86_400_000

describe.each(databases)('rotation in the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const rotate = (api_key: string, more: object = {}, headers = {}) =>
    world.operator('POST /api-keys/rotate', { api_key, ...more }, headers)
  const rotated = async (api_key: string, more: object = {}) =>
    (await made(rotate(api_key, more))) as Project['key'] & { new_api_key: string }
  const opens = async (secret: string) => (await world.as(secret)('GET /configs')).status
  const elsewhere = async (secret: string, path: string) =>
    (await world.running.send(path, { headers: { authorization: `Bearer ${secret}` } })).status
  const verdict = async (token: string, server?: string) =>
    (await world.op('validate_token', { token, ...(server === undefined ? {} : { server }) }))['verdict']
  const later = (ms: number) => new Date(world.running.clock.now + ms).toISOString()

  /** Lets requests read what they compare, and none of them write until all have. */
  async function meanwhile<T>(send: () => Promise<T>): Promise<T> {
    const { store, keys, clock } = world.beside.core
    let sent: Promise<T> | undefined
    await transaction({ store, auditKey: keys.audit, clock }, async () => {
      sent = send()
      await sleep(1_000)
    })
    return sent as Promise<T>
  }

  it(`${verifies('enkrypt:keys:rotate:ok')} a new secret under the same id, user, project and end, twice in the answer; the old one is 401 at once`, async () => {
    const { key, project_id, project_name, user_id } = await world.project()
    await world.op('update_token', { token_id: key.api_key_id, expires_in_days: 5 })
    const before = (await world.op('get_token', { token_id: key.api_key_id }))['token']
    let current = key.api_key
    for (const name of ['api_key', 'api_key_id', 'prefix'] as const) {
      world.running.clock.pass(1_000)
      const now: Record<typeof name, string> = {
        api_key: current,
        api_key_id: key.api_key_id,
        prefix: current.slice(0, 12),
      }
      const answers: Awaited<ReturnType<typeof rotate>>[] = []
      const rows = await trailOf(world.beside, async () => {
        answers.push(await rotate(now[name]))
      })
      const [answer] = answers
      const next = answer?.json.data.api_key
      expect([answer?.status, answer?.json]).toEqual([
        200,
        {
          message: 'API key rotated successfully',
          data: {
            api_key: expect.stringMatching(/^mcpt_[0-9A-Za-z]{43}$/),
            new_api_key: next,
            api_key_id: key.api_key_id,
            prefix: next.slice(0, 12),
            project_id,
            project_name,
            created_at: key['created_at'],
            disabled: false,
            last_used_at: null,
          },
        },
      ])
      expect(answer?.headers.get('cache-control')).toBe('no-store')
      expect(rows).toMatchObject([{ action: 'rotate_token', target_id: key.api_key_id, outcome: 'ok' }])
      expect(next).not.toBe(current)
      expect(refused(await world.as(current)('GET /configs'))).toEqual(unauthorized)
      expect(await verdict(current)).toBe('unknown')
      current = next
    }
    expect(await opens(current)).toBe(200)
    const after = (await world.op('get_token', { token_id: key.api_key_id }))['token']
    for (const member of ['kind', 'owner_id', 'project_id', 'expires_at', 'access', 'allowed_ips', 'name'])
      expect([member, after[member]]).toEqual([member, before[member]])
    expect(after.owner_id).toBe(user_id)
  })

  it(`${verifies('enkrypt:keys:rotate:ok')} an unknown key is 404 and a wrong body 400; nothing is rotated`, async () => {
    const { key } = await world.project()
    await unchanged(world.beside, async () => {
      expect(refused(await rotate('mcpt_ExampleSecretDoNotUse00000000000000013drjit'))).toEqual([
        404,
        'API key not found',
      ])
      for (const body of [
        undefined,
        {},
        { api_key: '' },
        { api_key: null },
        { api_key: 5 },
        { old_api_key: key.api_key },
        { api_key: key.api_key, new_api_key: 'mine' },
        { api_key: key.api_key, expires_in_days: 5 },
        [key.api_key],
      ])
        expect(refused(await world.operator('POST /api-keys/rotate', body))[0]).toBe(400)
      for (const as of [world.reader, world.as(world.keys.validator), world.as(key.api_key)])
        expect(refused(await as('POST /api-keys/rotate', { api_key: key.api_key }))).toEqual(forbidden)
    })
    expect(await opens(key.api_key)).toBe(200)
  })

  it(`${verifies('enkrypt:keys:rotate:grace')} grace_seconds is a whole number from 0 to 86400`, async () => {
    const { key } = await world.project()
    await unchanged(world.beside, async () => {
      for (const grace_seconds of [-1, 86_401, 0.5, '60', null, true, [], 1e300])
        expect(refused(await rotate(key.api_key, { grace_seconds }))).toEqual([
          400,
          expect.stringContaining('grace_seconds'),
        ])
    })
    for (const grace_seconds of [0, 1, 86_400]) {
      const { api_key } = await rotated(key.api_key_id, { grace_seconds })
      const { predecessor } = (await world.op('get_token', { token_id: key.api_key_id }))['token']
      expect([grace_seconds, predecessor?.valid_until ?? null]).toEqual([
        grace_seconds,
        grace_seconds === 0 ? null : later(grace_seconds * 1_000),
      ])
      expect(await opens(api_key)).toBe(200)
    }
  })

  it(`${verifies('enkrypt:keys:rotate:grace')} R44: that long the old secret opens servers and reads its own token, never past the key's end, and only the latest one`, async () => {
    const { key, config_id } = await world.project()
    const server = (await world.server(config_id))['server_slug']
    const own = [`/api/tokens/${key.api_key_id}`, `/magic-mcp-tokens/${key.api_key_id}`]
    const old = key.api_key
    const second = await rotated(old, { grace_seconds: 60 })
    const state = async (secret: string) => [
      await verdict(secret, server),
      await elsewhere(secret, '/mcp/validate'),
      ...(await Promise.all(own.map((path) => elsewhere(secret, path)))),
      await opens(secret),
    ]
    expect(await state(second.api_key)).toEqual(['valid', 200, 200, 200, 200])
    world.running.clock.pass(59_999)
    expect(await state(old)).toEqual(['valid', 200, 200, 200, 401])
    world.running.clock.pass(1)
    expect(await state(old)).toEqual(['unknown', 401, 401, 401, 401])
    // One predecessor at most.
    const third = await rotated(second.api_key, { grace_seconds: 600 })
    const fourth = await rotated(key.api_key_id, { grace_seconds: 600 })
    expect(await verdict(second.api_key)).toBe('unknown')
    expect([await verdict(third.api_key), await verdict(fourth.api_key)]).toEqual(['valid', 'valid'])
    // Without grace the predecessor there was ends too.
    const fifth = await rotated(key.api_key_id)
    expect([await verdict(third.api_key), await verdict(fourth.api_key)]).toEqual(['unknown', 'unknown'])
    await world.op('update_token', { token_id: key.api_key_id, expires_in_days: 1 })
    world.running.clock.pass(day - 1_000)
    await rotated(key.api_key_id, { grace_seconds: 86_400 })
    expect(await verdict(fifth.api_key)).toBe('valid')
    world.running.clock.pass(1_000)
    // The key is prolonged; its predecessor is not.
    await world.op('update_token', { token_id: key.api_key_id, expires_in_days: 10 })
    expect(await verdict(fifth.api_key)).toBe('unknown')
  })

  it(`${verifies('enkrypt:keys:rotate:grace')} R44: every route of this dialect is 401 to a predecessor, whatever it sends, and so is all else it could do`, async () => {
    const project = await world.project()
    const { key, config_id, project_id, user_id } = project
    const { server_name } = await world.server(config_id)
    const ids: Record<string, string> = {
      config_identifier: config_id,
      project_identifier: project_id,
      user_identifier: user_id,
      server_name: server_name as string,
      api_key: key.api_key_id,
    }
    const idempotency = { 'idempotency-key': 'a-key-that-was-sent-before' }
    const body = { api_key: key.api_key_id, grace_seconds: 86_400 }
    const first = await made(world.operator('POST /api-keys/rotate', body, idempotency))
    const predecessor = world.as(key.api_key)
    const routes = enkrypt.routes.map(({ method, path }) => {
      const filled = path.replace(/:(\w+)/g, (_, name: string) => ids[name] ?? name)
      return `${method} ${filled.slice('/api/v1'.length)}`
    })
    expect(routes.length).toBeGreaterThanOrEqual(52)
    await unchanged(world.beside, async () => {
      for (const line of [...routes, 'GET /nothing', 'PATCH /configs', 'POST /api-keys/x/y/z', 'GET /']) {
        const reads = line.startsWith('GET')
        const answers = [
          await predecessor(line, undefined, idempotency),
          ...(reads ? [] : [await predecessor(line, '{broken'), await predecessor(line, body, idempotency)]),
        ]
        for (const answer of answers) {
          expect([line, ...refused(answer)]).toEqual([line, ...unauthorized])
          expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
        }
      }
      for (const name of ['rotate_token', 'list_magic_tokens', 'list_configs', 'get_project', 'list_users']) {
        const input = { token_id: key.api_key_id, project_id }
        expect([name, (await world.running.call(name, input, key.api_key)).status]).toEqual([name, 401])
      }
      for (const path of [
        `/api/tokens/${key.api_key_id}/rotate`,
        `/magic-mcp-tokens/${key.api_key_id}/rotate`,
      ]) {
        const sent = { method: 'POST', headers: { authorization: `Bearer ${key.api_key}` } }
        expect((await world.running.send(path, sent)).status).toBe(401)
      }
    })
    // The secret that replaced it is judged by what it may do.
    expect(await opens(first['api_key'] as string)).toBe(200)
    expect(refused(await world.as(first['api_key'] as string)('GET /users'))).toEqual(forbidden)
    // R47: whoever rotated gets the same answer again, and nobody else.
    const repeat = await world.operator('POST /api-keys/rotate', body, idempotency)
    expect(told(repeat).data).toEqual(first)
  })

  it(`${verifies('enkrypt:keys:rotate:grace')} on /mcp a predecessor is 401 to every call`, async () => {
    const { key } = await world.project()
    await rotated(key.api_key_id, { grace_seconds: 600 })
    const mcp = (secret: string, name: string, args: object) =>
      world.running.send('/mcp', {
        method: 'POST',
        headers: {
          authorization: `Bearer ${secret}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name, arguments: args },
        }),
      })
    for (const [name, args] of [
      ['rotate_token', { token_id: key.api_key_id }],
      ['list_magic_tokens', {}],
      ['create_token', { name: 'x' }],
    ] as const) {
      expect([name, (await mcp(key.api_key, name, args)).status]).toEqual([name, 401])
    }
    expect((await world.op('get_token', { token_id: key.api_key_id }))['token'].generation).toBe(2)
  })

  it(`${verifies('enkrypt:keys:rotate:disabled')} a disabled key stays disabled: neither secret works until it is enabled`, async () => {
    const { key } = await world.project()
    await made(world.operator(`POST /api-keys/${key.api_key_id}/disable`))
    const first = await rotated(key.api_key)
    expect(first['disabled']).toBe(true)
    const second = await rotated(key.api_key_id, { grace_seconds: 600 })
    for (const secret of [key.api_key, first.api_key, second.api_key]) {
      expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)
      expect(await elsewhere(secret, '/mcp/validate')).toBe(401)
    }
    expect((await made(world.reader(`GET /api-keys/${key.api_key_id}`)))['disabled']).toBe(true)
    await made(world.operator(`POST /api-keys/${key.api_key_id}/enable`))
    expect(await opens(second.api_key)).toBe(200)
    expect([await verdict(key.api_key), await verdict(first.api_key)]).toEqual(['unknown', 'valid'])
  })

  it(`${verifies('enkrypt:keys:rotate:race')} R44: of rotations that read the same generation one is 200 and the others 409, whatever they name the key by`, async () => {
    const { key } = await world.project()
    const names = [key.api_key_id, key.prefix, key.api_key]
    const answers = await meanwhile(() =>
      Promise.all(Array.from({ length: 12 }, (_, n) => rotate(names[n % 3] ?? ''))),
    )
    const won = answers.filter(({ status }) => status === 200)
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(409)])
    const { api_key } = told(won[0] as (typeof won)[0]).data
    expect([await opens(api_key), await opens(key.api_key)]).toEqual([200, 401])
    // One after another they all succeed, by the id.
    for (let turn = 0; turn < 5; turn++) await rotated(key.api_key_id)
    const { generation } = (await world.op('get_token', { token_id: key.api_key_id }))['token']
    expect(generation).toBe(7)
  })

  it(`${verifies('enkrypt:keys:rotate:race')} R44: as they come, 20 at once leave one live secret: that of the last that was answered 200`, async () => {
    const { key } = await world.project()
    const answers = await Promise.all(Array.from({ length: 20 }, () => rotate(key.api_key_id)))
    const won = answers.filter(({ status }) => status === 200)
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([])
    const { generation } = (await world.op('get_token', { token_id: key.api_key_id }))['token']
    expect(generation).toBe(1 + won.length)
    const alive = await Promise.all(won.map((one) => opens(told(one).data['api_key'])))
    expect(alive.filter((status) => status === 200)).toHaveLength(1)
  })

  it(`${verifies('enkrypt:keys:rotate:race')} R44: a concurrent delete always wins`, async () => {
    for (const order of ['rotate first', 'delete first']) {
      const { key } = await world.project()
      const remove = () => world.operator(`DELETE /api-keys/${key.api_key_id}`)
      const sends =
        order === 'rotate first'
          ? [() => rotate(key.api_key_id), remove]
          : [remove, () => rotate(key.api_key_id)]
      const answers = await meanwhile(() => Promise.all(sends.map((send) => send())))
      const [turned, removed] = order === 'rotate first' ? answers : answers.toReversed()
      expect([order, removed?.status]).toEqual([order, 200])
      expect([200, 409]).toContain(turned?.status)
      const secrets = [key.api_key, ...(turned?.status === 200 ? [turned.json.data.api_key] : [])]
      for (const secret of secrets)
        expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)
      expect(refused(await world.reader(`GET /api-keys/${key.api_key_id}`))).toEqual([
        404,
        'API key not found',
      ])
    }
  })
})
