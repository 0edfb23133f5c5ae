import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as audit from '../../../db/audit.ts'
import type { Answer } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantKey, plantProject, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { forbidden, openWorld, routes, type Thing, unauthorized, unknownId, type World } from './world.ts'

describe.each(databases)('rotation on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const path = ({ id }: { id: string }) => `/magic-mcp-tokens/${id}`
  const rotate = async (token: { id: string }, body: object = {}) =>
    (await world.operator(`POST ${path(token)}/rotate`, body)).json as Thing & { secret: string }
  const opens = async (token: { id: string }, secret: string) =>
    (await world.as(secret)(`GET ${path(token)}`)).status
  const validates = async (secret: string) =>
    (await world.running.call('validate_token', { token: secret })).json.valid as boolean

  it(`${verifies('metorial:tokens:rotate:ok')} everything stays but the secret, and one line is in the trail`, async () => {
    const group = await world.group()
    const token = await world.token({ description: 'd', metadata: { a: 1 }, group_ids: [group.id] })
    const ending = (await world.running.call('create_token', { name: 'ends', expires_in_days: 9 })).json.token
    const { expires_at } = (await world.admin(`GET ${path(ending)}`)).json
    expect(expires_at).not.toBeNull()
    expect((await rotate(ending)).expires_at).toBe(expires_at)
    world.running.clock.pass(1_000)
    const { json } = await play(world.running, world.beside, {
      it: 'rotates',
      as: world.keys.operator,
      send: [`POST ${path(token)}/rotate`],
      status: 200,
      hasNot: [token.secret],
      audits: [{ action: 'rotate_token', outcome: 'ok', via: 'metorial', target_id: token.id }],
    })
    const { secret, secret_redacted, updated_at } = json
    expect(json).toEqual({ ...token, secret, secret_redacted, updated_at })
    expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
    expect([secret, secret_redacted]).not.toContain(token.secret)
    expect(secret_redacted).not.toBe(token.secret_redacted)
    expect(await opens(token, secret)).toBe(200)
  })

  it(`${verifies('metorial:tokens:rotate:old-dead')} without grace the old secret is refused everywhere at once`, async () => {
    for (const body of [{}, { grace_seconds: 0 }]) {
      const token = await world.token()
      const { secret } = await rotate(token, body)
      const { status, text } = await world.as(token.secret)(`GET ${path(token)}`)
      expect([status, text]).toEqual([401, unauthorized])
      expect([await validates(token.secret), await validates(secret)]).toEqual([false, true])
      expect((await world.running.call('get_token', { token_id: token.id }, token.secret)).status).toBe(401)
      expect((await world.as(token.secret)('GET /mcp/validate')).status).toBe(401)
      expect((await mcp(token.secret, 'get_token', token)).status).toBe(401)
    }
  })

  async function mcp(secret: string, name: string, { id }: { id: string }): Promise<Answer> {
    const message = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: { token_id: id } },
    }
    return world.as(secret)('POST /mcp', message, { accept: 'application/json, text/event-stream' })
  }

  it(`${verifies('metorial:tokens:rotate:grace')} grace_seconds is a whole number from 0 to 86400`, async () => {
    const token = await world.token()
    for (const grace_seconds of [-1, 0.5, 86_401, 100_000, '60', null, true, [60], {}]) {
      const before = await contents(world.beside, stateTables)
      const { json } = await world.operator(`POST ${path(token)}/rotate`, { grace_seconds })
      const told = { status: 400, code: 'invalid_data', errors: [{ path: ['grace_seconds'] }] }
      expect([grace_seconds, json]).toMatchObject([grace_seconds, told])
      expect(await contents(world.beside, stateTables)).toBe(before)
    }
    for (const grace_seconds of [0, 1, 86_400])
      expect((await rotate(token, { grace_seconds })).id).toBe(token.id)
  })

  it(`${verifies('metorial:tokens:rotate:grace')} that long the old secret opens servers and reads its token, and nothing else`, async () => {
    const { project_id, user_id } = await plantProject(world.beside)
    const userKey = await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id })
    for (const token of [await world.token(), userKey]) {
      const rotated = await rotate(token, { grace_seconds: 60 })
      world.running.clock.pass(59_999)
      for (const secret of [token.secret, rotated.secret]) {
        expect(await validates(secret)).toBe(true)
        expect((await world.as(secret)('GET /mcp/validate')).status).toBe(200)
        expect(await opens(token, secret)).toBe(200)
        expect((await mcp(secret, 'get_token', token)).status).toBe(200)
      }
      const old = world.as(token.secret)
      for (const { line, kind, body } of routes) {
        for (const id of [token.id, unknownId[kind]]) {
          if (line === 'GET /magic-mcp-tokens/:id' && id === token.id) continue
          // Also before its body is looked at.
          for (const sent of body === undefined ? [undefined] : [body, '{broken', []]) {
            const { status, text, headers } = await old(line.replace(':id', id), sent)
            expect([line, status, text]).toEqual([line, 401, unauthorized])
            expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
          }
        }
      }
      expect((await mcp(token.secret, 'rotate_token', token)).status).toBe(401)
      expect((await world.running.call('rotate_token', { token_id: token.id }, token.secret)).status).toBe(
        401,
      )
      world.running.clock.pass(1)
      expect([await opens(token, token.secret), await opens(token, rotated.secret)]).toEqual([401, 200])
      expect([await validates(token.secret), await validates(rotated.secret)]).toEqual([false, true])
    }
  })

  it(`${verifies('metorial:tokens:rotate:grace')} grace ends with the token`, async () => {
    const made = (await world.running.call('create_token', { name: 'ends', expires_in_days: 1 })).json
    const { token, delivery } = made
    world.running.clock.pass(86_400_000 - 10_000)
    const rotated = await rotate(token, { grace_seconds: 3_600 })
    expect(await opens(token, delivery.secret)).toBe(200)
    world.running.clock.pass(10_000)
    expect([await opens(token, delivery.secret), await opens(token, rotated.secret)]).toEqual([401, 401])
    await world.running.call('update_token', { token_id: token.id, expires_in_days: 1 })
    expect([await opens(token, delivery.secret), await opens(token, rotated.secret)]).toEqual([401, 200])
  })

  it(`${verifies('metorial:tokens:rotate:self')} a token rotates itself, and another id is 403`, async () => {
    const [token, other] = [await world.token(), await world.token()]
    for (const id of [other.id, unknownId.token, 'nonsense']) {
      const { status, text } = await world.as(token.secret)(`POST /magic-mcp-tokens/${id}/rotate`)
      expect([status, text]).toEqual([403, forbidden])
    }
    expect(await opens(other, other.secret)).toBe(200)
    const { json } = await world.as(token.secret)(`POST ${path(token)}/rotate`, { grace_seconds: 5 })
    expect(json.id).toBe(token.id)
    expect([await opens(token, json.secret), await opens(token, token.secret)]).toEqual([200, 200])
  })

  it(`${verifies('metorial:tokens:rotate:state')} deleted and expired are 412, disabled stays disabled, unknown is 404`, async () => {
    const gone = await world.token()
    await world.admin(`DELETE ${path(gone)}`)
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.token' }
    expect(await rotate(gone)).toMatchObject({
      ...told,
      id: gone.id,
      message: 'This magic_mcp.token is deleted.',
    })
    const { json } = await world.running.call('create_token', { name: 'ends', expires_in_days: 1 })
    world.running.clock.pass(86_400_001)
    expect(await rotate(json.token)).toMatchObject({ ...told, message: 'This magic_mcp.token is expired.' })
    const off = await world.token()
    await world.running.call('set_token_enabled', { token_id: off.id, enabled: false })
    const rotated = await rotate(off)
    expect(rotated).toMatchObject({ id: off.id, disabled: true, status: 'active' })
    expect([await opens(off, off.secret), await opens(off, rotated.secret)]).toEqual([401, 401])
    await world.running.call('set_token_enabled', { token_id: off.id, enabled: true })
    expect([await opens(off, off.secret), await opens(off, rotated.secret)]).toEqual([401, 200])
    expect(await rotate({ id: unknownId.token })).toMatchObject({ status: 404, entity: 'magic_mcp.token' })
  })

  /** Sends it all while no write can begin, so that every request has read and authenticated before the first one writes. */
  async function atOnce(send: () => Promise<Answer>[]): Promise<Answer[]> {
    const { store } = world.beside.core
    let sent: Promise<Answer>[] = []
    await store.write(async (db) => {
      await audit.takeHead(db, store.engine)
      sent = send()
      await sleep(400)
    })
    return Promise.all(sent)
  }

  const sorted = (answers: Answer[]) => answers.map(({ status }) => status).sort()

  it(`${verifies('metorial:tokens:rotate:race')} of rotations at once one wins, and the others are 409`, async () => {
    for (const self of [false, true]) {
      const token = await world.token()
      const send = world.as(self ? token.secret : world.keys.operator)
      const answers = await atOnce(() => Array.from({ length: 6 }, () => send(`POST ${path(token)}/rotate`)))
      expect([self, sorted(answers)]).toEqual([self, [200, 409, 409, 409, 409, 409]])
      for (const { json } of answers.filter(({ status }) => status === 409))
        expect(json).toMatchObject({ status: 409, code: 'conflict' })
      const won = answers.find(({ status }) => status === 200)?.json.secret
      expect([await opens(token, token.secret), await opens(token, won)]).toEqual([401, 200])
      if (self) {
        const late = await send(`POST ${path(token)}/rotate`)
        expect([late.status, late.text]).toEqual([401, unauthorized])
      }
    }
  })

  it(`${verifies('metorial:tokens:rotate:race')} rotations one after another all succeed`, async () => {
    const token = await world.token()
    let { secret } = token
    for (let n = 0; n < 5; n += 1) {
      const turned = await world.as(n % 2 === 0 ? secret : world.keys.operator)(`POST ${path(token)}/rotate`)
      expect(turned.status).toBe(200)
      expect(await opens(token, secret)).toBe(401)
      secret = turned.json.secret
    }
    expect(await opens(token, secret)).toBe(200)
  })

  it(`${verifies('metorial:tokens:rotate:race')} a deletion at the same time always wins`, async () => {
    for (let n = 0; n < 5; n += 1) {
      const token = await world.token()
      const rotation = () => world.operator(`POST ${path(token)}/rotate`, { grace_seconds: 600 })
      const deletion = () => world.operator(`DELETE ${path(token)}`)
      const order = [rotation, rotation, rotation]
      order.splice(n % 4, 0, deletion)
      const answers = await atOnce(() => order.map((send) => send()))
      expect(answers[n % 4]?.json).toMatchObject({ status: 'deleted', secret: '' })
      expect((await world.admin(`GET ${path(token)}`)).json.status).toBe('deleted')
      const secrets = answers.flatMap(({ status, json }) =>
        status === 200 && json.secret ? [json.secret] : [],
      )
      for (const secret of [token.secret, ...secrets]) expect(await opens(token, secret)).toBe(401)
      for (const { status } of answers) expect([200, 409, 412]).toContain(status)
    }
  })
})
