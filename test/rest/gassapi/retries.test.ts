import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { leak } from '../../support/world.ts'
import { openWorld, password, refused, route, told, type World } from './world.ts'

const failed = (error: string) =>
  JSON.stringify({ success: false, message: 'Failed to generate MCP token', error })

describe.each(databases)('the public route with an Idempotency-Key on $name', (one) => {
  let world: World
  let key: string
  let made = 0
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())
  beforeEach(() => {
    made += 1
    key = `a-random-key-of-the-test-${made}`
  })

  const send = (body: object = {}, asked: { from?: string; path?: string } = {}) =>
    world.generate(body, { ...asked, headers: { 'idempotency-key': key } })
  const count = async () => (await world.op('list_magic_tokens', { include_total: true, limit: 1 })).total

  it(`${verifies('gassapi:generate:retry:same-answer')} R47: a repeat within 10 minutes gets the identical answer, and no second token is made`, async () => {
    const before = await count()
    const first = await send()
    world.clock.pass(9 * 60_000)
    const again = await send()
    const capital = await send({ email: 'USER@example.com', more: 'ignored' }, { path: `${route}.php` })
    expect([first.status, again.status, again.text, capital.text]).toEqual([201, 201, first.text, first.text])
    expect(await count()).toBe(before + 1)
    expect((await world.validate(again.json.mcpClient.token)).status).toBe(200)
    // Kept sealed: the store does not hold the secret, in no form that can be read.
    expect(leak(Buffer.from(await world.state()), first.json.mcpClient.token)).toBe(-1)
    expect(await world.state()).not.toContain(key)
  })

  it(`${verifies('gassapi:generate:retry:same-answer')} R47: six repeats at once are one token`, async () => {
    const before = await count()
    const answers = await Promise.all(Array.from({ length: 6 }, () => send()))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect([answers[0]?.status, await count()]).toEqual([201, before + 1])
  })

  it(`${verifies('gassapi:generate:retry:same-answer')} R47: it is for the same user with the right password; to others the key is new or the login refused`, async () => {
    const first = await send()
    const from = '192.0.2.70'
    expect(refused(await send({ password: 'wrong' }, { from }))).toEqual([
      401,
      told.login,
      'Bearer',
      null,
      null,
    ])
    await world.person(`other${made}@example.com`)
    const other = await send({ email: `other${made}@example.com` })
    expect(other.status).toBe(201)
    expect(other.json.mcpClient.token).not.toBe(first.json.mcpClient.token)
    await world.op('reset_password', { user_id: world.user_id, new_password: 'another password' })
    expect((await send({}, { from })).status).toBe(401)
    await world.op('reset_password', { user_id: world.user_id, new_password: password })
  })

  it(`${verifies('gassapi:generate:retry:already-done')} later, up to 24 hours, it is 409 with the token's id; then the key is free again`, async () => {
    const { token } = (await send()).json.mcpClient
    const id = (await world.validate(token)).json.data.user.mcp_token_id
    const before = await count()
    world.clock.pass(10 * 60_000)
    for (const passed of [0, 23 * 3_600_000]) {
      world.clock.pass(passed)
      const late = await send()
      const why = `already_done: this call was carried out before, on ${id}. Its answer is not kept longer than 10 minutes.`
      expect(refused(late)).toEqual([409, failed(why), null, null, null])
      expect(late.headers.get('access-control-allow-origin')).toBe('*')
    }
    expect(await count()).toBe(before)
    world.clock.pass(3_600_000)
    const anew = await send()
    expect(anew.status).toBe(201)
    expect(anew.json.mcpClient.token).not.toBe(token)
  })

  it(`${verifies('gassapi:generate:retry:already-done')} another body with the same key is 409, and nothing is made`, async () => {
    const second = (await world.op('create_project', { name: `Second ${made}` })).project.id
    await world.op('add_project_member', { project_id: second, user_id: world.user_id })
    expect((await send()).status).toBe(201)
    const before = await world.state()
    const why = 'This idempotency key was used for a call with other arguments. Give a new idempotency_key.'
    expect(refused(await send({ project_id: second }))).toEqual([409, failed(why), null, null, null])
    expect(refused(await send({ project_id: 'proj_none' }))).toEqual([403, told.project, null, null, null])
    expect(await world.state()).toBe(before)
  })

  it('R47: who is no member any more gets no answer again, and a key of another form or two keys are refused', async () => {
    const user_id = await world.person(`leaver${made}@example.com`)
    const body = { email: `leaver${made}@example.com` }
    expect((await send(body)).status).toBe(201)
    await world.op('remove_project_member', { project_id: world.project_id, user_id })
    expect(refused(await send(body))).toEqual([403, told.project, null, null, null])

    const before = await world.state()
    key = 'short'
    const short = await send()
    expect([short.status, short.json.message]).toEqual([400, 'Failed to generate MCP token'])
    expect(short.json.error).toContain('16 to 128 visible ASCII characters')
    const sent = JSON.stringify({ email: world.email, password, project_id: world.project_id })
    const headers = [
      `host: 127.0.0.1:${world.port}`,
      'idempotency-key: key-one-of-two-keys',
      'idempotency-key: key-two-of-two-keys',
    ]
    const [, two = ''] = (await world.raw(wire(`POST ${route} HTTP/1.1`, headers, sent))).split('\r\n\r\n')
    expect(JSON.parse(two)).toEqual({
      success: false,
      message: 'Failed to generate MCP token',
      error: expect.stringContaining('idempotency_key'),
    })
    expect(await world.state()).toBe(before)
  })
})
