import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../src/http/limits.ts'
import { operations } from '../../tools/index.ts'
import { database, databases } from '../support/databases.ts'
import { sampleInput } from './sample.ts'
import { type Answer, openServing, type Running, statuses, wire } from './serving.ts'

describe.each(databases)('POST /v1/<name> on $name', (one) => {
  let running: Running
  beforeAll(async () => {
    // Every operation is refused to several bad credentials, all from one address.
    running = await openServing(one, { limits: { ...defaultLimits, failuresPerMinute: 10_000 } })
  })
  afterAll(() => running.close())

  it('makes, validates, rotates and revokes a token', async () => {
    const made = await running.call('create_token', { name: 'CI' })
    expect(made.status).toBe(201)
    const { token, delivery } = made.json
    expect((await running.call('validate_token', { token: delivery.secret })).json).toMatchObject({
      valid: true,
    })
    const rotated = await running.call('rotate_token', { token_id: token.id })
    expect([rotated.status, rotated.json.token.generation]).toEqual([200, 2])
    expect((await running.call('validate_token', { token: delivery.secret })).json.verdict).toBe('unknown')
    expect((await running.call('revoke_token', { token_id: token.id })).status).toBe(200)
    expect((await running.call('revoke_token', { token_id: 'mgtk_none' })).status).toBe(404)
    expect((await running.call('rotate_token', { token_id: token.id })).status).toBe(409)
  })

  it('R47: the header Idempotency-Key makes a retry answer the same bytes', async () => {
    const key = { 'idempotency-key': 'a-random-string-of-some-length' }
    const first = await running.call('create_token', { name: 'once' }, running.adminKey, key)
    const again = await running.call('create_token', { name: 'once' }, running.adminKey, key)
    expect([again.status, again.text]).toEqual([201, first.text])
    const member = { name: 'once', idempotency_key: key['idempotency-key'] }
    expect((await running.call('create_token', member)).text).toBe(first.text)
    expect((await running.call('create_token', { name: 'other' }, running.adminKey, key)).status).toBe(409)
    const both = await running.call(
      'create_token',
      { ...member, idempotency_key: 'another-string-of-that-length' },
      running.adminKey,
      key,
    )
    expect([both.status, both.json.error]).toEqual([400, 'invalid_input'])
  })
})

/** Those a Bearer credential is needed for, and that not every token may call. */
const guarded = operations.filter(
  ({ faces, permission, credential }) =>
    (faces === undefined || faces.includes('rest')) &&
    permission !== 'public' &&
    permission !== 'tokens:self' &&
    credential === undefined,
)

describe('the native routes', () => {
  let running: Running
  let secret: string
  let tokenId: string
  beforeAll(async () => {
    running = await openServing(database('sqlite'), {
      limits: { ...defaultLimits, failuresPerMinute: 10_000 },
    })
    const made = await running.call('create_token', { name: 'holder' })
    secret = made.json.delivery.secret
    tokenId = made.json.token.id
  })
  afterAll(() => running.close())

  const own = () => `host: 127.0.0.1:${running.port}`
  const post = (...headers: string[]) => wire('POST /v1/list_groups HTTP/1.1', [own(), ...headers])

  it.each(guarded)('R33: $name answers 401 and 403 in their one form', async (operation) => {
    const { name, permission } = operation
    const none = await running.call(name, {}, null)
    const bad = await running.call(
      name,
      {},
      secret.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')),
    )
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"'])
    for (const { json } of [none, bad]) {
      expect({ ...json, request_id: '' }).toEqual({
        error: 'unauthenticated',
        detail: 'Send a valid credential as "Authorization: Bearer <secret>".',
        request_id: '',
      })
    }
    const weak = await running.call(name, sampleInput(operation), secret)
    expect([name, weak.status, weak.headers.get('www-authenticate')]).toEqual([
      name,
      403,
      `Bearer error="insufficient_scope", scope="${permission}"`,
    ])
  })

  it('R12: nothing but the credential says who calls', async () => {
    const claims = {
      'x-user': 'admin',
      'x-forwarded-user': 'admin',
      'x-remote-user': 'admin',
      cookie: `session=${running.adminKey}; authorization=${running.adminKey}`,
      'x-api-key': running.adminKey,
      'proxy-authorization': `Bearer ${running.adminKey}`,
    }
    const query = `?token=${running.adminKey}&access_token=${running.adminKey}&api_key=${running.adminKey}`
    for (const [key, status] of [
      [null, 401],
      [secret, 403],
    ] as const) {
      const headers = {
        'content-type': 'application/json',
        ...claims,
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      }
      const answer = await running.send(`/v1/list_groups${query}`, { method: 'POST', headers, body: '{}' })
      expect(answer.status).toBe(status)
    }
  })

  it('R12: without a credential a broken body, a wrong type, method or path is 401 all the same', async () => {
    const send = (path: string, init: RequestInit) => running.send(path, init)
    const refused: Answer[] = [
      await send('/v1/list_groups', {
        method: 'POST',
        body: '{"broken',
        headers: { 'content-type': 'application/json' },
      }),
      await send('/v1/list_groups', {
        method: 'POST',
        body: 'a=b',
        headers: { 'content-type': 'text/plain' },
      }),
      await send('/v1/list_groups', { method: 'GET' }),
      await send('/v1/no_such_operation', { method: 'POST' }),
      await send('/v1/', { method: 'POST' }),
      await send('/v1', { method: 'DELETE' }),
      await send('/v1/list_groups', { method: 'POST', body: 'x'.repeat(300_000) }),
    ]
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 401))
  })

  it('with a credential an unknown name is 404, another method 405, another type 415', async () => {
    const authorization = `Bearer ${running.adminKey}`
    expect((await running.call('no_such_operation')).json.error).toBe('not_found')
    expect((await running.call('list_groups/more')).status).toBe(404)
    const get = await running.send('/v1/list_groups', { headers: { authorization } })
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
      '',
    ]
    for (const type of types) {
      const headers = { authorization, 'content-type': type }
      const answer = await running.send('/v1/list_groups', { method: 'POST', headers, body: '{}' })
      expect([type, answer.status]).toEqual([type, 415])
    }
  })

  it('R23: a request without a body may carry any Content-Type', async () => {
    for (const type of ['application/json', 'text/plain', 'nonsense']) {
      const headers = { authorization: `Bearer ${running.adminKey}`, 'content-type': type }
      expect((await running.send('/v1/list_groups', { method: 'POST', headers })).status).toBe(200)
    }
  })

  it('R21: a malformed Authorization is 401 and never more', async () => {
    const { adminKey } = running
    const malformed = [
      'authorization:',
      'authorization: Bearer',
      'authorization: Bearer  ',
      `authorization: ${adminKey}`,
      `authorization: Basic ${Buffer.from(`admin:${adminKey}`).toString('base64')}`,
      `authorization: Bearer ${adminKey}, Basic x`,
      `authorization: Basic x, Bearer ${adminKey}`,
      `authorization: Bearer ${adminKey} ${adminKey}`,
      `authorization: Bearer ${adminKey} x`,
      `authorization: Bearer\t${adminKey}`,
      `authorization: Bearer${adminKey}`,
      `authorization: Bearer "${adminKey}"`,
      `authorization: Bearer ${'x'.repeat(10_000)}`,
      `authorization: Bearer ${adminKey}${'x'.repeat(500)}`,
      `authorization: Bearer \u00e9${adminKey}`,
      `authorization: Bearer ${adminKey.toUpperCase()}`,
      `authorization: Bearer ${adminKey.toLowerCase()}`,
      `authorization: Bearer ${adminKey.slice(0, 47)}`,
      `authorization: Bearer ${adminKey.slice(1)}`,
      `authorization: Token ${adminKey}`,
      `x-authorization: Bearer ${adminKey}`,
    ]
    for (const header of malformed)
      expect([header, statuses(await running.raw(post(header)))]).toEqual([header, [401]])
    const good = `authorization: Bearer ${adminKey}`
    expect(statuses(await running.raw(post(good, good)))).toEqual([401])
    expect(statuses(await running.raw(post(good, 'authorization: Bearer x')))).toEqual([401])
    expect(statuses(await running.raw(post(`${good}\0`)))).toEqual([400])
    expect(statuses(await running.raw(post(`${good}\n continued`)))).toEqual([400])
  })

  it('R21: the scheme may be written in any case and be followed by several spaces', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR   ']) {
      expect(statuses(await running.raw(post(`authorization: ${scheme} ${running.adminKey}`)))).toEqual([200])
    }
  })

  it('R10: every answer below /v1 says no-store and nosniff, and names no software', async () => {
    const answers = [
      await running.call('create_token', { name: 'headers' }),
      await running.call('rotate_token', { token_id: tokenId }),
      await running.call('create_management_key', { name: 'k', role: 'reader' }),
      await running.call('list_groups'),
      await running.call('list_groups', {}, null),
      await running.call('list_groups', { wrong: 1 }),
      await running.call('redeem_link', { code: 'x' }, null),
      await running.send('/health'),
      await running.send('/nothing'),
    ]
    for (const { headers } of answers) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('server')).toBeNull()
    }
  })

  it('redeem_link needs no credential but refuses a bad one', async () => {
    expect((await running.call('redeem_link', { code: 'nothing' }, null)).status).toBe(404)
    expect((await running.call('redeem_link', { code: 'nothing' }, 'bad')).status).toBe(401)
  })

  it('R20: unknown members are refused by name, with every problem listed', async () => {
    const answer = await running.call('create_token', { name: '', colour: 'red' })
    expect(answer.status).toBe(400)
    expect(answer.json.detail).toContain('unknown argument colour')
    expect(answer.json.issues.map((issue: { path: string[] }) => issue.path[0]).sort()).toEqual([
      'colour',
      'name',
    ])
  })
})
