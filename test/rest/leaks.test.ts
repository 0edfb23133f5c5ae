import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isSigned, readSigningKeys } from '../../src/domain/leak-signature.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { openServing, type Running, wire } from '../http/serving.ts'
import { databases } from '../support/databases.ts'
import { leak } from '../support/world.ts'

const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const current = pair()
const retired = pair()
const stranger = pair()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })

const listed = [
  { key_identifier: 'current', key: pemOf(current.publicKey), is_current: true },
  { key_identifier: 'retired', key: pemOf(retired.publicKey), is_current: false },
  { key_identifier: 'rsa', key: pemOf(rsa.publicKey), is_current: true },
  { key_identifier: 'p384', key: pemOf(p384.publicKey), is_current: true },
  { key_identifier: 'broken', key: 'no key', is_current: true },
]
const list = (keys: object[] = listed) => JSON.stringify({ public_keys: keys })

const signed = (body: string | Buffer, key: KeyObject = current.privateKey) =>
  sign('sha256', Buffer.from(body), key).toString('base64')

const match = (token: unknown, more: object = {}) => ({
  token,
  type: 'tokenwright_token',
  url: 'https://github.com/octocat/Hello-World/blob/main/foo.txt',
  source: 'content',
  ...more,
})

describe('the signature of a report', () => {
  it("the example of GitHub's own documentation is accepted, and with one byte changed it is not", () => {
    const documented = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----`
    const body = '[{"token":"some_token","type":"some_type","url":"some_url"}]'
    const signature =
      'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc='
    const keys = readSigningKeys(list([{ key_identifier: 'k', key: documented, is_current: true }]))
    const key = keys?.get('k') as KeyObject
    expect(isSigned(key, signature, Buffer.from(body))).toBe(true)
    expect(isSigned(key, signature, Buffer.from(body.replace('some_url', 'some_urk')))).toBe(false)
  })

  it('only current ECDSA keys on P-256 are taken from a list, and a list without one is none', () => {
    expect([...(readSigningKeys(list())?.keys() ?? [])]).toEqual(['current'])
    for (const text of [
      '',
      '[]',
      '{"public_keys":[]}',
      list(listed.slice(1)),
      list([{ key_identifier: 'x' }]),
    ])
      expect(readSigningKeys(text)).toBeUndefined()
  })

  it('a signature that is no base64 of DER is none', () => {
    const body = Buffer.from('[]')
    const raw = sign('sha256', body, { key: current.privateKey, dsaEncoding: 'ieee-p1363' })
    for (const bad of ['', '=', 'é', `${signed(body)} `, signed(body).slice(0, -8), raw.toString('base64')])
      expect(isSigned(current.publicKey, bad, body)).toBe(false)
    expect(isSigned(current.publicKey, signed(body), body)).toBe(true)
  })
})

describe.each(databases)('POST /leaks on $name', (database) => {
  let running: Running
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-leaks-'))
  const file = join(folder, 'keys.json')
  beforeAll(async () => {
    writeFileSync(file, list())
    running = await openServing(database, { leakKeys: file })
  })
  afterAll(async () => {
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const post = (body: string, headers: Record<string, string>, at: Running = running) =>
    at.send('/leaks', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
  const report = (matches: unknown, at?: Running) => {
    const body = typeof matches === 'string' ? matches : JSON.stringify(matches)
    return post(
      body,
      { 'github-public-key-identifier': 'current', 'github-public-key-signature': signed(body) },
      at,
    )
  }
  const make = async (at: Running = running) => {
    const { json } = await at.call('create_token', { name: 'leaky' })
    return { id: json.token.id as string, secret: json.delivery.secret as string }
  }
  const verdict = async (secret: string, at: Running = running) =>
    (await at.call('validate_token', { token: secret })).json.verdict
  const trail = async () => {
    const { json } = await running.call('list_audit_events', { action: 'report_leak', limit: 100 })
    return json.events as { action: string; target_id: string | null }[]
  }
  const sha = (token: string) => createHash('sha256').update(token).digest('base64')

  it('revokes what is live, tells what was real from what was not, and leaves a row for each token', async () => {
    const { id, secret } = await make()
    const unknown = makeSecret('mcpt')
    const before = (await trail()).length
    const sent = [match(secret), match(unknown), match('hunter2', { url: '', source: null })]
    const { status, json, text } = await report(sent)
    expect([status, json]).toEqual([
      200,
      [
        { token_hash: sha(secret), token_type: 'tokenwright_token', label: 'true_positive' },
        { token_hash: sha(unknown), token_type: 'tokenwright_token', label: 'false_positive' },
        { token_hash: sha('hunter2'), token_type: 'tokenwright_token', label: 'false_positive' },
      ],
    ])
    expect(await verdict(secret)).toBe('revoked')
    const rows = (await trail()).slice(0, (await trail()).length - before)
    expect(rows).toHaveLength(3)
    const row = rows.find(({ target_id }) => target_id === id)
    expect(row).toMatchObject({
      actor: { kind: 'reporter', id: 'github-secret-scanning' },
      via: 'leaks',
      outcome: 'ok',
      details: { result: 'revoked', where: expect.stringContaining('octocat/Hello-World') },
    })
    for (const known of [secret, unknown])
      expect(leak(Buffer.from(JSON.stringify(rows) + running.log.join('') + text), known)).toBe(-1)
    expect(
      running.log.filter((line) => line.includes(id) && line.includes('reported as leaked')),
    ).toHaveLength(1)
  })

  it('the same report again changes nothing and is answered alike', async () => {
    const { id, secret } = await make()
    const first = await report([match(secret)])
    const token = (await running.call('get_token', { token_id: id })).text
    expect((await report([match(secret)])).text).toBe(first.text)
    expect((await running.call('get_token', { token_id: id })).text).toBe(token)
  })

  it('a secret that was seen often is reported once and labelled each time', async () => {
    const { secret } = await make()
    const before = (await trail()).length
    const { json } = await report(Array.from({ length: 100 }, (_, at) => match(secret, { type: `t${at}` })))
    expect(json.map(({ token_type }: { token_type: string }) => token_type)).toHaveLength(100)
    expect(new Set(json.map(({ label }: { label: string }) => label))).toEqual(new Set(['true_positive']))
    expect((await trail()).length - before).toBe(1)
  })

  it('R12: whatever is wrong with key or signature, the answer is the same, and nothing was looked at', async () => {
    const { secret } = await make()
    const body = JSON.stringify([match(secret)])
    const good = signed(body)
    const other = JSON.stringify([match('another')])
    const named = (identifier: string, signature: string) => ({
      'github-public-key-identifier': identifier,
      'github-public-key-signature': signature,
    })
    const rows = (await trail()).length
    const answers = await Promise.all([
      post(body, {}),
      post(body, { 'github-public-key-identifier': 'current' }),
      post(body, { 'github-public-key-signature': good }),
      post(body, named('current', signed(body, stranger.privateKey))),
      post(body, named('current', signed(other))),
      post(`${body} `, named('current', good)),
      post(body, named('nobody', good)),
      post(body, named('retired', signed(body, retired.privateKey))),
      post(body, named('rsa', signed(body, rsa.privateKey))),
      post(body, named('p384', signed(body, p384.privateKey))),
      post(body, named('broken', good)),
      post(body, named('__proto__', good)),
      post(body, named('current', randomBytes(64).toString('base64'))),
      post(body, named('current', 'x'.repeat(4_000))),
      post(body, { ...named('current', ''), authorization: `Bearer ${running.adminKey}` }),
      post('not json', named('current', good)),
      post('', named('current', good)),
    ])
    const told = answers.map(({ status, json: { request_id: _, ...rest } }) => JSON.stringify([status, rest]))
    expect(new Set(told).size).toBe(1)
    expect(told[0]).toContain('[401,{"error":"unauthenticated"')
    expect(await verdict(secret)).toBe('valid')
    expect((await trail()).length).toBe(rows)
    expect(running.log.join('')).not.toContain(secret)
  })

  it('R21: a second key or signature beside the good one is no good, whatever their case', async () => {
    const { secret } = await make()
    const body = JSON.stringify([match(secret)])
    const headers = [
      `host: 127.0.0.1:${running.port}`,
      'content-type: application/json',
      'GITHUB-PUBLIC-KEY-IDENTIFIER: current',
      `GITHUB-PUBLIC-KEY-SIGNATURE: ${signed(body)}`,
    ]
    const twice = await running.raw(
      wire('POST /leaks HTTP/1.1', [...headers, 'Github-Public-Key-Identifier: x'], body),
    )
    expect(twice).toContain(' 401 ')
    const again = await running.raw(
      wire('POST /leaks HTTP/1.1', [...headers, `github-public-key-signature: ${signed(body)}`], body),
    )
    expect(again).toContain(' 401 ')
    expect(await running.raw(wire('POST /leaks HTTP/1.1', headers, body))).toContain(' 200 ')
    expect(await verdict(secret)).toBe('revoked')
  })

  it('R20: a signed body that is no report is refused before anything of it has an effect', async () => {
    const { secret } = await make()
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`
    const bad: [unknown, number][] = [
      ['not json', 400],
      ['{"token":"x"}', 400],
      ['null', 400],
      [[match(secret), match(7)], 400],
      [[match(secret), match(null)], 400],
      [[match(secret), match([secret])], 400],
      [[match(secret), match('')], 400],
      [[match(secret), match('x'.repeat(16_385))], 400],
      [[match(secret), match('x', { type: 7 })], 400],
      [[match(secret), match('x', { url: {} })], 400],
      [[match(secret), { token: 'x' }], 400],
      [[match(secret), 'x'], 400],
      [deep, 413],
      [Array.from({ length: 101 }, () => match(secret)), 413],
      [Array.from({ length: 20 }, () => match('x'.repeat(16_000))), 413],
    ]
    for (const [body, expected] of bad) {
      const { status, text } = await report(body)
      expect([status, text.slice(0, 60)]).toEqual([expected, text.slice(0, 60)])
      expect(text).not.toContain(secret)
    }
    expect(await verdict(secret)).toBe('valid')
    expect(await report([])).toMatchObject({ status: 200, text: '[]' })
  })

  it('odd places and types do not stop a report', async () => {
    const { secret } = await make()
    const odd = { url: `https://x/\u0000\ud800${'y'.repeat(900)}`, source: 'a\nb', type: '' }
    expect((await report([match(secret, odd)])).json).toMatchObject([{ label: 'true_positive' }])
    expect(await verdict(secret)).toBe('revoked')
  })

  it('follows the policy: notify only marks, rotate leaves the token with a secret that nobody has', async () => {
    await running.call('update_settings', { leak_action: 'notify' })
    const { id, secret } = await make()
    expect((await report([match(secret)])).json).toMatchObject([{ label: 'true_positive' }])
    expect(await verdict(secret)).toBe('valid')
    await running.call('update_settings', { leak_action: 'rotate' })
    const { text } = await report([match(secret)])
    expect(text).not.toMatch(/mcpt_/)
    expect(await verdict(secret)).toBe('unknown')
    const { json } = await running.call('get_token', { token_id: id })
    expect(json.token).toMatchObject({ status: 'active', generation: 2, leaked_at: expect.any(String) })
    await running.call('update_settings', { leak_action: 'revoke' })
  })

  it('answers POST alone', async () => {
    const { status, headers } = await running.send('/leaks')
    expect([status, headers.get('allow')]).toEqual([405, 'POST'])
    expect((await running.send('/leaks/', { method: 'POST' })).status).toBe(404)
  })

  describe('with a server of its own', () => {
    const open: { close(): unknown }[] = []
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close()
    })

    it('R29: what is not signed counts as a failed sign-in, and too many are answered 429; good reports go on', async () => {
      const limits = { bodyBytes: 262_144, jsonDepth: 32, jsonMembers: 1_000, requestsPerSecond: null }
      const own = await openServing(database, { leakKeys: file, limits: { ...limits, failuresPerMinute: 3 } })
      open.push(own)
      const statuses = []
      for (let at = 0; at < 5; at++) statuses.push((await post('[]', {}, own)).status)
      expect(statuses).toEqual([401, 401, 401, 429, 429])
      expect((await report([], own)).status).toBe(200)
    })

    it('without keys there is no such route, and a file without keys is refused at the start', async () => {
      const own = await openServing(database)
      open.push(own)
      const { status, json } = await report([match('x')], own)
      expect([status, json.error]).toEqual([404, 'not_found'])
      expect(json.detail).toContain('--leak-keys')
      const empty = join(folder, 'empty.json')
      writeFileSync(empty, '{"public_keys":[]}')
      for (const leakKeys of [empty, join(folder, 'none.json')])
        await expect(openServing(database, { leakKeys })).rejects.toThrow(/^leak_keys names a file/)
    })

    it('an address is asked once an hour, and for an unknown key at most once a minute', async () => {
      const asked: (string | undefined)[] = []
      let keys = list()
      let broken = false
      const site = createServer((request: IncomingMessage, response: ServerResponse) => {
        asked.push(request.headers['if-none-match'])
        const etag = `"${sha(keys)}"`
        if (broken) return void response.writeHead(500).end()
        if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end()
        response.writeHead(200, { etag }).end(keys)
      })
      await new Promise<void>((done) => site.listen(0, '127.0.0.1', done))
      open.push({ close: () => new Promise((done) => site.close(done)) })
      const place = `127.0.0.1:${(site.address() as AddressInfo).port}`
      const own = await openServing(database, { leakKeys: `http://${place}/keys`, allowedUpstreams: [place] })
      open.push(own)
      const unknown = () =>
        post('[]', { 'github-public-key-identifier': 'next', 'github-public-key-signature': 'AA==' }, own)
      expect(asked).toHaveLength(0)
      expect((await Promise.all([1, 2, 3].map(() => report([], own)))).map(({ status }) => status)).toEqual([
        200, 200, 200,
      ])
      expect(asked).toEqual([undefined])
      for (let at = 0; at < 3; at++) expect((await unknown()).status).toBe(401)
      expect(asked).toHaveLength(1)
      own.clock.pass(61_000)
      for (let at = 0; at < 3; at++) expect((await unknown()).status).toBe(401)
      expect(asked).toHaveLength(2)
      expect(asked[1]).toMatch(/^"/)
      // A key that is new is found with the next look, and one that is gone is not believed any more.
      keys = list([{ key_identifier: 'next', key: pemOf(stranger.publicKey), is_current: true }])
      own.clock.pass(61_000)
      const body = '[]'
      const next = {
        'github-public-key-identifier': 'next',
        'github-public-key-signature': signed(body, stranger.privateKey),
      }
      expect((await post(body, next, own)).status).toBe(200)
      expect((await report([], own)).status).toBe(401)
      // What was had is good for a day while nothing newer can be had.
      broken = true
      own.clock.pass(2 * 3_600_000)
      expect((await post(body, next, own)).status).toBe(200)
      own.clock.pass(24 * 3_600_000)
      expect((await post(body, next, own)).status).toBe(503)
      expect(own.log.join('')).toContain('the public keys of leak reports cannot be read')
    })

    it('R36: an address that is private is not asked unless the operator has listed it', async () => {
      const asked: string[] = []
      const site = createServer((request, response) => {
        asked.push(request.url ?? '')
        response.end(list())
      })
      await new Promise<void>((done) => site.listen(0, '127.0.0.1', done))
      open.push({ close: () => new Promise((done) => site.close(done)) })
      const { port } = site.address() as AddressInfo
      for (const leakKeys of [
        `http://127.0.0.1:${port}/`,
        `https://127.0.0.1:${port}/`,
        `https://localhost:${port}/`,
      ]) {
        const own = await openServing(database, { leakKeys })
        open.push(own)
        expect((await report([], own)).status).toBe(503)
      }
      expect(asked).toEqual([])
    })
  })
})
