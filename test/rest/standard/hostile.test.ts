import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statuses, wire } from '../../http/serving.ts'
import { database } from '../../support/databases.ts'
import { plantKey } from '../../support/world.ts'
import { basic, formType, openWorld, type World } from './world.ts'

const endpoints = ['/oauth2/introspect', '/oauth2/revoke']
const whoIsAsked =
  '{"error":"invalid_client","error_description":"Send a management key as \\"Authorization: Bearer <key>\\", or its id and itself by HTTP Basic."}'
const asks = 'Basic realm="tokenwright", charset="UTF-8"'

describe('bad requests to the standard endpoints', () => {
  let world: World
  let secret: string
  let as: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    secret = (await world.token()).secret
    as = world.keys.admin.secret
  })
  afterAll(async () => {
    expect((await world.introspect(secret)).json.active).toBe(true)
    await world.close()
  })

  const raw = async (line: string, headers: string[], body = '') => {
    const heard = await world.raw(wire(line, [`host: 127.0.0.1:${world.port}`, ...headers], body))
    const [head = '', text = ''] = heard.split('\r\n\r\n')
    return { status: statuses(heard), head, text }
  }

  const bodies: [what: string, body: string | Uint8Array<ArrayBuffer>, status: number][] = [
    ['nothing', '', 400],
    ['no token', 'token_type_hint=access_token', 400],
    ['an empty token', 'token=', 400],
    ['a token without a value', 'token', 400],
    ['two tokens', 'token=mcpt_a&token=mcpt_b', 400],
    ['one of them under another spelling', 'token=mcpt_a&%74oken=mcpt_b', 400],
    ['an unknown parameter twice', 'token=mcpt_a&x=1&x=2', 400],
    ['a broken escape', 'token=%', 400],
    ['an escape that is no UTF-8', 'token=%ff', 400],
    ['a broken escape in a name', '%zz=1&token=x', 400],
    ['bytes that are no UTF-8', new Uint8Array([...Buffer.from('token='), 0xff, 0xfe]), 400],
    ['a name of the language', 'token=x&__proto__=1&constructor=2&toString=3', 200],
    ['parameters nobody knows', 'token=x&client_id=a&client_secret=b&resource=c', 200],
    ['ampersands', '&&token=x', 400],
    ['JSON', '{"token":"x"}', 400],
    ['16 KiB', `token=${'x'.repeat(16 * 1024 - 6)}`, 200],
    ['a byte more', `token=${'x'.repeat(16 * 1024 - 5)}`, 413],
    ['1 MiB', `token=${'x'.repeat(1024 * 1024)}`, 413],
  ]

  it.each(bodies)('R20, R24: a form with %s', async (_, body, status) => {
    // The connection of a body that is left behind is about to end.
    const headers = status === 413 ? { connection: 'close' } : {}
    for (const path of endpoints) {
      const answer = await world.form(path, body, as, headers)
      expect([path, answer.status]).toEqual([path, status])
      if (status === 200) continue
      expect(answer.json).toEqual({ error: 'invalid_request', error_description: expect.any(String) })
      expect(answer.text).not.toMatch(/mcpt_|xxx/)
    }
  })

  it('introspection refuses an address that is none, and a question with half a character', async () => {
    for (const more of [
      'ip=nowhere',
      'ip=',
      'ip=10.0.0.1%2F8',
      'server=%00',
      'tool=a%00b',
      'server='.padEnd(250, 'x'),
    ]) {
      const { status, json } = await world.form('/oauth2/introspect', `token=${secret}&${more}`, as)
      expect([more, status, json.error]).toEqual([more, 400, 'invalid_request'])
    }
    const { status } = await world.form('/oauth2/introspect', { token: secret, ip: '::ffff:10.0.0.1' }, as)
    expect(status).toBe(200)
  })

  it('R23: another type of body is 415, another encoding too', async () => {
    const types = [
      'application/json',
      'text/plain',
      'multipart/form-data; boundary=x',
      `x${formType}`,
      `${formType}x`,
    ]
    for (const path of endpoints) {
      for (const type of types) {
        const { status, json } = await world.form(path, { token: 'x' }, as, { 'content-type': type })
        expect([type, status, json.error]).toEqual([type, 415, 'invalid_request'])
      }
      const packed = await world.form(path, { token: 'x' }, as, { 'content-encoding': 'gzip' })
      expect(packed.status).toBe(415)
      for (const type of [`${formType}; charset=UTF-8`, formType.toUpperCase()])
        expect((await world.form(path, { token: 'x' }, as, { 'content-type': type })).status).toBe(200)
    }
  })

  it('another method is 405 and says which there is; another path is 404', async () => {
    for (const path of endpoints) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const { status, json, headers } = await world.send(`${path}?token=${secret}`, {
          method,
          headers: { authorization: `Bearer ${as}` },
        })
        expect([method, status, json.error, headers.get('allow')]).toEqual([
          method,
          405,
          'invalid_request',
          'POST',
        ])
        expect(headers.get('access-control-allow-origin')).toBeNull()
      }
    }
    for (const path of [
      '/oauth2',
      '/oauth2/',
      '/oauth2/token',
      '/oauth2/introspect/',
      '/oauth2/Introspect',
    ]) {
      const { status, json } = await world.form(path, { token: secret }, as)
      expect([path, status, json.error]).toEqual([path, 404, 'invalid_request'])
      expect((await world.form(path, { token: secret }, null)).status).toBe(401)
    }
  })

  it('R12, R33: the credential is judged before anything else, in one body that asks for both schemes', async () => {
    for (const path of endpoints) {
      for (const body of ['', 'token=', '{"broken', 'x'.repeat(300_000)]) {
        for (const type of [formType, 'application/json']) {
          const none = await world.form(path, body, null, { 'content-type': type })
          expect([none.status, none.text, none.headers.get('www-authenticate')]).toEqual([
            401,
            whoIsAsked,
            `Bearer, ${asks}`,
          ])
          world.clock.pass(60_000)
          const bad = await world.form(path, body, 'mcpm_nothing', { 'content-type': type })
          expect([bad.status, bad.text, bad.headers.get('www-authenticate')]).toEqual([
            401,
            whoIsAsked,
            `Bearer error="invalid_token", ${asks}`,
          ])
        }
      }
      const elsewhere = await world.form(
        `${path}?access_token=${as}`,
        { token: secret, access_token: as, client_secret: as },
        null,
      )
      expect(elsewhere.status).toBe(401)
    }
  })

  it('RFC 6749 2.3.1: HTTP Basic takes the id of a key and the key, form-encoded, in any letter case of the scheme', async () => {
    const { id, secret: key } = world.keys.validator
    const escaped = (text: string) => [...text].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('')
    const bare = Buffer.from(`${id}:${key}`).toString('base64').replace(/=+$/, '')
    for (const good of [
      basic(id, key),
      basic(escaped(id), escaped(key)),
      basic(id, key).replace('Basic', 'bAsIc   '),
      `Basic ${bare}`,
    ])
      expect([good, (await world.introspect(secret, {}, good)).json.active]).toEqual([good, true])
  })

  it('R21: any other form of Basic is 401, and so is Basic anywhere else', async () => {
    const { id, secret: key } = world.keys.admin
    const bad = [
      basic(world.keys.reader.id, key),
      basic('', key),
      basic(id.toUpperCase(), key),
      basic(`${id} `, key),
      basic(id, `${key} `),
      basic(id, ''),
      basic(id, id),
      basic(key, id),
      basic(`${id}:${id}`, key),
      basic(id, `%ZZ${key}`),
      basic(`%ZZ`, key),
      `Basic ${Buffer.from(key).toString('base64')}`,
      `Basic ${id}:${key}`,
      `Basic ${basic(id, key).slice(6)}!`,
      `Basic ${basic(id, key).slice(6)} x`,
      `Basic ${Buffer.from([0xff, 0x3a, 0xfe]).toString('base64')}`,
      'Basic ',
      'Basic =',
      `Basic ${'A'.repeat(4_000)}`,
      `Digest ${basic(id, key).slice(6)}`,
    ]
    for (const value of bad) {
      world.clock.pass(60_000)
      const { status, json } = await world.form('/oauth2/introspect', { token: secret }, value)
      expect([value, status, json.error]).toEqual([value, 401, 'invalid_client'])
    }
    const good = { authorization: basic(id, key), 'content-type': 'application/json' }
    for (const path of ['/v1/get_settings', '/v1/introspect_token', '/api/tokens', '/mcp', '/auth/verify']) {
      world.clock.pass(60_000)
      const { status } = await world.send(path, { method: 'POST', headers: good, body: '{"token":"x"}' })
      expect([path, status]).toEqual([path, 401])
    }
    const token = await world.token()
    expect((await world.introspect(secret, {}, basic(token.id, token.secret))).status).toBe(403)
  })

  it('R21: two credentials, a long one and one with a NUL are refused by every endpoint', async () => {
    const good = `authorization: Bearer ${as}`
    const cases: [string[], number[]][] = [
      [[good, good], [401]],
      [[good, `authorization: ${basic(world.keys.admin.id, as)}`], [401]],
      [[`${good}, Bearer ${as}`], [401]],
      [[`authorization: Bearer ${'x'.repeat(10_000)}`], [401]],
      [[`authorization: Bearer ${as}\u0001`], [400]],
    ]
    for (const [headers, status] of cases) {
      world.clock.pass(60_000)
      for (const line of [...endpoints.map((path) => `POST ${path} HTTP/1.1`), 'GET /auth/verify HTTP/1.1']) {
        const heard = await raw(line, [...headers, `content-type: ${formType}`], `token=${secret}`)
        expect([line, headers[0]?.slice(0, 40), heard.status]).toEqual([
          line,
          headers[0]?.slice(0, 40),
          status,
        ])
      }
    }
  })

  it('R22, R25: a foreign Host or Origin, a long URL and too many headers are refused in the words of the endpoint', async () => {
    const many = Array.from({ length: 101 }, (_, at) => `x-${at}: 1`)
    const host = `host: 127.0.0.1:${world.port}`
    const sent: [path: string, headers: string[], status: number, codes: [string, string]][] = [
      ['', ['host: evil.example'], 403, ['access_denied', 'forbidden']],
      ['', [host, 'origin: http://evil.example'], 403, ['access_denied', 'forbidden']],
      ['', [host, 'origin: null'], 403, ['access_denied', 'forbidden']],
      [`?x=${'x'.repeat(9_000)}`, [host], 414, ['invalid_request', 'too_large']],
      ['', [host, ...many], 431, ['invalid_request', 'too_large']],
    ]
    for (const [more, headers, status, [oauth, forward]] of sent) {
      for (const path of [...endpoints, '/auth/verify', '/auth/verify/x']) {
        const line = `POST ${path}${more} HTTP/1.1`
        const heard = await world.raw(wire(line, [...headers, `authorization: Bearer ${as}`], 'token=x'))
        expect([path, more.length, statuses(heard)]).toEqual([path, more.length, [status]])
        const { error, ...rest } = JSON.parse(heard.split('\r\n\r\n')[1] ?? '')
        const isForward = path.startsWith('/auth')
        expect([error, Object.keys(rest)]).toEqual(
          isForward ? [forward, ['detail']] : [oauth, ['error_description']],
        )
        expect(heard).not.toMatch(/evil|access-control|www-authenticate/i)
      }
    }
  })

  it('a body that never ends, or is announced and never comes, holds nobody', async () => {
    const started = performance.now()
    const lines = [`authorization: Bearer ${as}`, `content-type: ${formType}`]
    const chunked = await raw(
      'POST /oauth2/introspect HTTP/1.1',
      [...lines, 'transfer-encoding: chunked'],
      `${(20_000).toString(16)}\r\n${'x'.repeat(20_000)}\r\n`,
    )
    expect(chunked.status[0]).toBe(400)
    const announced = await world.raw(
      `GET /auth/verify HTTP/1.1\r\nhost: 127.0.0.1:${world.port}\r\nauthorization: Bearer ${secret}\r\ncontent-length: 1000\r\n\r\n`,
    )
    expect(statuses(announced)).toEqual([200])
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('R28: a key with an address list is refused from elsewhere, by Bearer and by Basic', async () => {
    const columns = { role: 'validator', allowed_ips: '["192.0.2.1"]' } as const
    const { id, secret: key } = await plantKey(world.beside, 'management', columns)
    for (const one of [key, basic(id, key)]) {
      const { status, json } = await world.introspect(secret, {}, one)
      expect([status, json.error]).toEqual([403, 'access_denied'])
    }
  })

  it('R29, R41: failed Basic credentials are counted like any other', async () => {
    const apart = await openWorld(database('sqlite'))
    const seen = new Set<number>()
    for (let at = 0; at < 105; at++)
      seen.add((await apart.introspect('x', {}, basic(`mkey_${at}`, apart.keys.admin.secret))).status)
    const late = await apart.introspect('x', {}, basic('mkey_x', apart.keys.admin.secret))
    expect([[...seen], late.status, late.json.error, late.headers.get('retry-after')]).toEqual([
      [401, 429],
      429,
      'temporarily_unavailable',
      '60',
    ])
    expect((await apart.introspect('x')).status).toBe(200)
    await apart.close()
  })
})
