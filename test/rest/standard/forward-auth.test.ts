import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statuses, wire } from '../../http/serving.ts'
import { database, databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { leak, plantGroup, plantServer } from '../../support/world.ts'
import { badSecrets, openWorld, refused, type World } from './world.ts'

const told = {
  none: [
    401,
    body('unauthenticated', 'Send a valid credential as "Authorization: Bearer <secret>".'),
    'Bearer',
  ],
  bad: [
    401,
    body('unauthenticated', 'Send a valid credential as "Authorization: Bearer <secret>".'),
    'Bearer error="invalid_token"',
  ],
  key: [403, body('forbidden', 'A management key opens no server.'), null],
  ip: [403, body('ip_not_allowed', "The address is not in the token's allowed_ips."), null],
  server: [403, body('server_not_in_scope', 'The token does not reach this server.'), null],
  tool: [403, body('tool_not_in_scope', "The token's tool rules do not allow this tool."), null],
}

function body(error: string, detail: string): string {
  return JSON.stringify({ error, detail })
}

/** The headers that tell an identity. */
function identity(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-')))
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']

/** The headers of an answer that is about a token without anything. */
const nothing = {
  'x-auth-token-id': '',
  'x-auth-token-name': '',
  'x-auth-token-owner': '',
  'x-auth-token-project': '',
  'x-auth-token-groups': '',
  'x-auth-token-expires-at': '',
  'x-content-type-options': 'nosniff',
}

describe.each(databases)('/auth/verify on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  it('tells a proxy whose token it is, in headers and nothing else, whatever the method and the body', async () => {
    const { project_id, user_id, server } = world.project
    const groups = [await plantGroup(world.beside, [server.id]), await plantGroup(world.beside, [])]
    const made = await world.token({ name: 'CI', owner_id: user_id, project_id, access: { groups } })
    const { token } = await world.op('get_token', { token_id: made.id })
    const slugs = token.access.groups.map(({ slug }: { slug: string }) => slug).sort()
    for (const method of methods) {
      for (const sent of ['', '{"broken', 'x'.repeat(300_000)]) {
        const init = method === 'GET' || sent === '' ? { method } : { method, body: sent }
        const { status, text, headers } = await world.verify(made.secret, '/auth/verify', init)
        expect([method, status, text, identity(headers)]).toEqual([
          method,
          200,
          '',
          {
            'x-auth-token-id': made.id,
            'x-auth-token-name': 'CI',
            'x-auth-token-owner': user_id,
            'x-auth-token-project': project_id,
            'x-auth-token-groups': slugs.join(','),
            'x-auth-token-expires-at': token.expires_at,
            'x-content-type-options': 'nosniff',
          },
        ])
        expect(headers.get('cache-control')).toBe('no-store')
        expect(headers.get('content-length')).toBe('0')
      }
    }
    const head = await world.verify(made.secret, '/auth/verify', { method: 'HEAD' })
    expect([head.status, head.headers.get('x-auth-token-id')]).toEqual([200, made.id])
  })

  it('what a token has not is there and empty, so that a proxy which copies it overwrites what its client claimed', async () => {
    const made = await world.plant({ name: null, expires_at: null })
    const { headers } = await world.verify(made.secret)
    expect(identity(headers)).toEqual({ ...nothing, 'x-auth-token-id': made.id })
  })

  it('text that others wrote cannot end a header, and reads back by decoding percent signs', async () => {
    const names = [
      'two words',
      '100 % sure',
      'Zoë 😀',
      'a\r\nX-Auth-Token-Owner: usr_admin',
      'a\nb\tc\0d',
      '%0d%0aX-Evil: 1',
      'a,b;c="d"',
      '\u202egnp.exe',
    ]
    for (const name of names) {
      // No operation stores such a name; a database that others wrote to may hold one.
      const stored = one.name === 'postgres' ? name.replace('\0', '') : name
      const { headers } = await world.verify((await world.plant({ name: stored })).secret)
      const sent = headers.get('x-auth-token-name') ?? ''
      expect(sent).toMatch(/^[\x21-\x7e]+$/)
      expect(decodeURIComponent(sent)).toBe(stored)
      expect(Object.keys(identity(headers)).sort()).toEqual(Object.keys(nothing).sort())
    }
  })

  it('R30, R33: whatever is no good token is one 401, by every method, for every server', async () => {
    const elsewhere = { headers: { 'x-auth-tool': 'x' } }
    for (const [what, secret] of Object.entries(await badSecrets(world))) {
      // A Bearer header holds ASCII; another text never comes so far.
      if (!/^[\x21-\x7e]+$/.test(secret)) continue
      world.clock.pass(60_000)
      for (const path of ['/auth/verify', `/auth/verify/${world.project.server.slug}`, '/auth/verify/none'])
        expect([what, ...refused(await world.verify(secret, path, elsewhere))]).toEqual([what, ...told.bad])
    }
    for (const method of methods) {
      expect(refused(await world.verify(null, '/auth/verify', { method }))).toEqual(told.none)
      expect(refused(await world.verify('nonsense', '/auth/verify', { method }))).toEqual(told.bad)
    }
  })

  it('R12: a management key opens nothing, whatever its role; one that is no good is one more bad credential', async () => {
    for (const { secret } of Object.values(world.keys)) {
      expect(refused(await world.verify(secret))).toEqual(told.key)
      expect(refused(await world.verify(secret, '/auth/verify/none'))).toEqual(told.key)
    }
    const { key, secret } = await world.op('create_management_key', { name: 'gone', role: 'admin' })
    await world.op('revoke_management_key', { key_id: key.id })
    expect(refused(await world.verify(secret))).toEqual(told.bad)
  })

  it('the server is named by the path, the header or the query; all that name one must agree', async () => {
    const [a, b] = [await plantServer(world.beside), await plantServer(world.beside)]
    const outside = await plantServer(world.beside)
    const { secret } = await world.token({ access: { servers: [a.id, b.id] } })
    const header = (...values: string[]): RequestInit => ({
      headers: values.map((value): [string, string] => ['x-auth-server', value]),
    })
    const passes: [path: string, init?: RequestInit][] = [
      [`/${a.slug}`],
      [`/${a.id}`],
      [`/${encodeURIComponent(a.slug).replace('-', '%2D')}`],
      [`/${a.slug}/mcp/and/more?x=y`],
      [`?server=${a.slug}`],
      ['', header(a.slug)],
      [`/${a.slug}?server=${a.slug}`, header(a.slug)],
      ['?x=1'],
    ]
    const refuses: typeof passes = [
      [`/${outside.slug}`],
      [`/${outside.id}`],
      ['', header(outside.slug)],
      [`?server=${outside.slug}`],
      // A client that names one it may use does not get past the one the proxy asks for, nor the other way round.
      [`/${outside.slug}`, header(a.slug)],
      [`/${outside.slug}?server=${a.slug}`],
      [`/${a.slug}`, header(outside.slug)],
      [`?server=${a.slug}`, header(outside.slug)],
      [`/${a.slug}`, header(b.slug)],
      [`?server=${a.slug}&server=${outside.slug}`],
      ['', header(a.slug, outside.slug)],
      [`/${a.slug}`, header('')],
      [`?server=`],
      ['/'],
      ['//'],
      [`//${a.slug}`],
      ['/..%2f..%2f'],
      ['/%'],
      ['/%00'],
      ['/%ff'],
      ['/*'],
      [`/${a.slug.toUpperCase()}`],
      [`/${a.slug}%20`],
      [`/${'x'.repeat(5_000)}`],
      [`?server=${'%00'.repeat(100)}`],
    ]
    for (const [path, init] of passes) {
      const { status } = await world.verify(secret, `/auth/verify${path}`, init)
      expect([path, init, status]).toEqual([path, init, 200])
    }
    for (const [path, init] of refuses)
      expect([path, ...refused(await world.verify(secret, `/auth/verify${path}`, init))]).toEqual([
        path,
        ...told.server,
      ])
  })

  it('two headers that name different servers name none', async () => {
    const [a, b] = [await plantServer(world.beside), await plantServer(world.beside)]
    const { secret } = await world.token({ access: { servers: [a.id, b.id] } })
    const lines = [`host: 127.0.0.1:${world.port}`, `authorization: Bearer ${secret}`]
    const ask = async (...slugs: string[]) => {
      const named = slugs.map((slug) => `X-Auth-Server: ${slug}`)
      return statuses(await world.raw(wire('GET /auth/verify HTTP/1.1', [...lines, ...named])))
    }
    expect(await ask(a.slug)).toEqual([200])
    expect(await ask(a.slug, a.slug)).toEqual([200])
    expect(await ask(a.slug, b.slug)).toEqual([403])
    expect(await ask(`${a.slug}, ${b.slug}`)).toEqual([403])
  })

  it('the tool is named by the header or the query, and judged by the rules of the token', async () => {
    const { slug, id } = await plantServer(world.beside)
    const tool_rules = { allow: [`${slug}/read_*`] }
    const { secret } = await world.token({ access: { servers: [id], tool_rules } })
    const ask = async (query: string, tool?: string) =>
      refused(
        await world.verify(secret, `/auth/verify/${slug}${query}`, {
          headers: tool === undefined ? {} : { 'x-auth-tool': tool },
        }),
      )
    expect((await ask('', 'read_file'))[0]).toBe(200)
    expect((await ask('?tool=read_file'))[0]).toBe(200)
    expect((await ask('?tool=read_file', 'read_file'))[0]).toBe(200)
    for (const [query, tool] of [
      ['', 'write_file'],
      ['?tool=write_file', undefined],
      ['?tool=read_file', 'read_other'],
      ['?tool=read_file&tool=write_file', undefined],
      ['?tool=', undefined],
      ['', 'READ_FILE'],
    ] as const)
      expect([query, tool, ...(await ask(query, tool))]).toEqual([query, tool, ...told.tool])
  })

  it('R12: contradicting names pass no rules, also where they only deny; no use is counted', async () => {
    const { slug, id } = await plantServer(world.beside)
    const access = { servers: [id], tool_rules: { deny: ['write_*'] }, limits: { max_uses: 1 } }
    const { secret } = await world.token({ access })
    const ask = async (path: string, tool?: string) =>
      refused(
        await world.verify(secret, `/auth/verify${path}`, {
          headers: tool === undefined ? {} : { 'x-auth-tool': tool },
        }),
      )
    expect(await ask(`/${slug}?tool=write_file`, 'read_file')).toEqual(told.tool)
    expect(await ask(`/${slug}?tool=read_file&tool=write_file`)).toEqual(told.tool)
    expect(await ask(`/${slug}?server=other&tool=read_file`)).toEqual(told.server)
    expect((await ask(`/${slug}?tool=read_file`, 'read_file'))[0]).toBe(200)
  })

  it('R16: reach is that of the moment', async () => {
    const server = await plantServer(world.beside)
    const group = await plantGroup(world.beside, [server.id])
    const made = await world.token({ access: { groups: [group] } })
    const ask = async () => (await world.verify(made.secret, `/auth/verify/${server.slug}`)).status
    expect(await ask()).toBe(200)
    await world.op('remove_groups', { token_id: made.id, group_ids: [group] })
    expect(await ask()).toBe(403)
    await world.op('add_groups', { token_id: made.id, group_ids: [group] })
    expect(await ask()).toBe(200)
    await world.op('delete_server', { server_id: server.id })
    expect(await ask()).toBe(403)
    expect((await world.verify(made.secret)).status).toBe(200)
    await world.op('revoke_token', { token_id: made.id })
    expect((await world.verify(made.secret)).status).toBe(401)
  })

  it('a token of another place is 403, and each success is one use', async () => {
    const bound = await world.token({ allowed_ips: ['203.0.113.7'] })
    expect(refused(await world.verify(bound.secret, '/auth/verify/none'))).toEqual(told.ip)
    const made = await world.token()
    for (let at = 0; at < 3; at++) await world.verify(made.secret)
    await world.verify(made.secret, '/auth/verify/none')
    const wait = { headers: { authorization: `Bearer ${made.secret}` } }
    expect((await world.send('/auth/verify', wait)).status).toBe(200)
    // The uses of the server's process are written a minute later at the latest; a first one at once.
    expect((await world.op('get_token', { token_id: made.id })).token.use_count).toBeGreaterThanOrEqual(1)
  })

  it(`${verifies('mctx:tokens:rotate:grace', 'metorial:tokens:rotate:grace', 'gassapi:token:rotate:grace', 'enkrypt:keys:rotate:grace')} R44: a predecessor passes until its grace is over, and its end is the one that is told`, async () => {
    const old = await world.token()
    const { delivery } = await world.op('rotate_token', { token_id: old.id, grace_seconds: 60 })
    const { status, headers } = await world.verify(old.secret)
    const end = Date.parse(headers.get('x-auth-token-expires-at') ?? '')
    expect([status, headers.get('x-auth-token-id'), end]).toEqual([200, old.id, world.clock.now + 60_000])
    world.clock.pass(59_999)
    expect((await world.verify(old.secret)).status).toBe(200)
    world.clock.pass(1)
    expect(refused(await world.verify(old.secret))).toEqual(told.bad)
    expect((await world.verify(delivery.secret)).status).toBe(200)
  })

  it('a token with limits is told where it stands; above them it is 429, and nothing else counts', async () => {
    const server = await plantServer(world.beside)
    const made = await world.token({
      access: { servers: [server.id], limits: { requests: 2, per_seconds: 60 } },
    })
    const ask = async (path = '/auth/verify') => {
      const { status, json, headers } = await world.verify(made.secret, path)
      const [limit, left, reset] = ['limit', 'remaining', 'reset'].map((name) =>
        headers.get(`ratelimit-${name}`),
      )
      const wait = headers.get('retry-after')
      return [status, json?.error, limit, left, Number(reset) > 0, Number(wait) > 0]
    }
    // A window begins at a whole minute, and the test must not stand across two.
    world.clock.pass(60_000 - (world.clock.now % 60_000))
    expect(await ask(`/auth/verify/${server.slug}`)).toEqual([200, undefined, '2', '1', true, false])
    expect(await ask('/auth/verify/none')).toEqual([403, 'server_not_in_scope', null, null, false, false])
    expect(await ask()).toEqual([200, undefined, '2', '0', true, false])
    expect(await ask()).toEqual([429, 'limit_reached', '2', '0', true, true])
    expect(await ask('/auth/verify/none')).toEqual([403, 'server_not_in_scope', null, null, false, false])
    expect((await world.introspect(made.secret)).text).toBe('{"active":false}')
    world.clock.pass(60_000)
    expect((await world.introspect(made.secret)).json).toMatchObject({
      active: true,
      limit: { limit: 2, remaining: 1, retry_after: null },
    })
    expect(await ask()).toEqual([200, undefined, '2', '0', true, false])
  })

  it('a token that is used up for ever names no time to come again', async () => {
    const made = await world.token({ access: { limits: { max_uses: 1 } } })
    expect((await world.verify(made.secret)).status).toBe(200)
    const { status, json, headers } = await world.verify(made.secret)
    const told = ['retry-after', 'ratelimit-reset', 'ratelimit-remaining'].map((name) => headers.get(name))
    expect([status, json.error, ...told]).toEqual([429, 'limit_reached', null, null, '0'])
  })

  it('R12: what a request claims to be is told to nobody', async () => {
    const made = await world.token()
    const claims = {
      'x-auth-token-id': 'mgtk_0000000000000000000001',
      'x-auth-token-owner': 'usr_admin',
      'x-auth-token-project': 'proj_other',
      'x-auth-token-groups': 'admins',
      'x-auth-token-name': 'root',
      'x-user': 'admin',
      'x-forwarded-user': 'admin',
      'x-remote-user': 'admin',
    }
    const { headers } = await world.verify(made.secret, '/auth/verify', { headers: claims })
    const { 'x-auth-token-expires-at': _, ...rest } = identity(headers)
    const { 'x-auth-token-expires-at': __, ...unnamed } = nothing
    expect(rest).toEqual({ ...unnamed, 'x-auth-token-id': made.id, 'x-auth-token-name': 'made' })
    expect(refused(await world.verify(null, '/auth/verify', { headers: claims }))).toEqual(told.none)
  })

  it('R9: a secret that is not in the Authorization header is no credential, and no secret is in the log', async () => {
    const { secret } = await world.token()
    const elsewhere: [string, Record<string, string>][] = [
      [`/auth/verify?token=${secret}&access_token=${secret}&api_key=${secret}`, {}],
      [`/auth/verify/${secret}`, {}],
      ['/auth/verify', { cookie: `token=${secret}`, referer: `http://x/${secret}` }],
      ['/auth/verify', { 'x-api-key': secret, 'x-auth-token': secret }],
      ['/auth/verify', { 'proxy-authorization': `Bearer ${secret}`, 'x-original-authorization': secret }],
    ]
    for (const [path, headers] of elsewhere)
      expect(refused(await world.send(path, { headers }))).toEqual(told.none)
    const basic = `Basic ${Buffer.from(`x:${secret}`).toString('base64')}`
    for (const authorization of [secret, basic, `Token ${secret}`, `Bearer ${secret},`, `Bearer ${secret} x`])
      expect(refused(await world.send('/auth/verify', { headers: { authorization } }))).toEqual(told.bad)
    await world.verify(secret, `/auth/verify/${secret}?server=${secret}`)
    await world.introspect(secret, { server: secret, tool: secret })
    await world.form('/oauth2/introspect', { token: secret }, secret)
    expect(world.log.length).toBeGreaterThan(10)
    for (const line of world.log) expect(leak(Buffer.from(line), secret)).toBe(-1)
    expect(world.log.join('\n')).toContain('/auth/verify/:server')
  })

  it('R29: after a hundred bad tokens of an address further ones are told to wait, and a good one is not', async () => {
    const apart = await openWorld(one)
    const { secret } = await apart.token()
    const seen = new Set<number>()
    for (let at = 0; at < 110; at++) seen.add((await apart.verify('nonsense')).status)
    const late = await apart.verify('nonsense')
    expect([[...seen], late.status, late.headers.get('retry-after')]).toEqual([[401, 429], 429, '60'])
    expect(late.json.error).toBe('rate_limited')
    expect((await apart.verify(secret)).status).toBe(200)
    expect((await apart.introspect('nonsense')).status).toBe(200)
    await apart.close()
  })
})

describe('/auth/verify from afar', () => {
  /** What a client at 127.0.0.1 may claim; the token behind it is bound to 203.0.113.7. */
  const claims: string[][] = [
    [],
    ['x-forwarded-for: 203.0.113.7'],
    ['x-forwarded-for: 203.0.113.7, 198.51.100.1'],
    ['x-forwarded-for: 203.0.113.7', 'x-forwarded-for: 198.51.100.1'],
    ['x-forwarded-for: 203.0.113.7:4711'],
    ['x-forwarded-for: [203.0.113.7]'],
    ['x-forwarded-for: 203.0.113.7, unknown'],
    ['x-forwarded-for: 203.0.113.7,'],
    ['x-forwarded-for: 203.0.113.07'],
    ['forwarded: for=203.0.113.7'],
    ['x-real-ip: 203.0.113.7'],
    ['cf-connecting-ip: 203.0.113.7'],
    ['true-client-ip: 203.0.113.7', 'x-client-ip: 203.0.113.7', 'x-envoy-external-address: 203.0.113.7'],
    ['x-original-forwarded-for: 203.0.113.7', 'x-cluster-client-ip: 203.0.113.7', 'via: 203.0.113.7'],
  ]

  it.each([
    { trustedProxies: [] as string[], through: [] as number[] },
    { trustedProxies: ['127.0.0.0/8'], through: [1] },
  ])('R27: 14 header sets, proxies $trustedProxies', async ({ trustedProxies, through }) => {
    const world = await openWorld(database('sqlite'), { trustedProxies })
    const { secret } = await world.token({ allowed_ips: ['203.0.113.7'] })
    const lines = [`host: 127.0.0.1:${world.port}`, `authorization: Bearer ${secret}`]
    for (const [at, claim] of claims.entries()) {
      const heard = await world.raw(wire('GET /auth/verify HTTP/1.1', [...lines, ...claim]))
      expect([claim, statuses(heard)]).toEqual([claim, [through.includes(at) ? 200 : 403]])
      if (!through.includes(at)) expect(heard).toContain('"error":"ip_not_allowed"')
    }
    await world.close()
  })

  it('R18: without its store it refuses with 503, never with a verdict', async () => {
    const world = await openWorld(database('sqlite'))
    const { secret } = await world.token()
    const key = world.keys.validator.secret
    expect((await world.verify(secret)).status).toBe(200)
    rmSync(world.place.location)
    await new Promise((resolve) => setTimeout(resolve, 150))
    for (const one of [secret, 'mcpt_ExampleSecretDoNotUse00000000000000013drjit']) {
      const { status, json, headers } = await world.verify(one)
      expect([status, json.error, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    }
    for (const path of ['/oauth2/introspect', '/oauth2/revoke']) {
      const { status, json, headers } = await world.form(path, { token: secret }, key)
      expect([status, json.error, headers.get('retry-after')]).toEqual([503, 'temporarily_unavailable', '5'])
    }
    await world.close()
  })
})
