import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../support/databases.ts'
import { openServing, type Running, statuses } from './serving.ts'

/** What a client at 127.0.0.1 may claim; the token behind it is bound to 203.0.113.7. */
const claims: [string, string[]][] = [
  ['nothing', []],
  ['X-Forwarded-For with one hop', ['x-forwarded-for: 203.0.113.7']],
  ['a spoofed leftmost hop', ['x-forwarded-for: 203.0.113.7, 198.51.100.1']],
  ['several headers', ['x-forwarded-for: 203.0.113.7', 'x-forwarded-for: 198.51.100.1']],
  ['a port', ['x-forwarded-for: 203.0.113.7:4711']],
  ['brackets', ['x-forwarded-for: [203.0.113.7]']],
  ['unknown', ['x-forwarded-for: 203.0.113.7, unknown']],
  ['an empty hop', ['x-forwarded-for: 203.0.113.7,']],
  ['an octal part', ['x-forwarded-for: 203.0.113.07']],
  ['Forwarded', ['forwarded: for=203.0.113.7']],
  ['X-Real-IP', ['x-real-ip: 203.0.113.7']],
  ['CF-Connecting-IP', ['cf-connecting-ip: 203.0.113.7']],
  ['True-Client-IP', ['true-client-ip: 203.0.113.7', 'x-client-ip: 203.0.113.7']],
  [
    'X-Forwarded-For in other words',
    ['x-forwarded: 203.0.113.7', 'x-cluster-client-ip: 203.0.113.7', 'via: 203.0.113.7'],
  ],
]

/** With the proxy trusted, exactly these let the token in. */
const truths = ['X-Forwarded-For with one hop']

describe.each([
  { trustedProxies: [] as string[], through: [] as string[] },
  { trustedProxies: ['127.0.0.0/8'], through: truths },
])('the client address with trusted proxies $trustedProxies', ({ trustedProxies, through }) => {
  let running: Running
  let secret: string
  let id: string
  beforeAll(async () => {
    running = await openServing(database('sqlite'), { trustedProxies })
    const made = await running.call('create_token', { name: 'bound', allowed_ips: ['203.0.113.7'] })
    secret = made.json.delivery.secret
    id = made.json.token.id
  })
  afterAll(() => running.close())

  const ask = async (key: string, token: string, headers: string[]) => {
    const body = JSON.stringify({ token_id: token })
    const lines = [
      'POST /v1/get_token HTTP/1.1',
      `host: 127.0.0.1:${running.port}`,
      `authorization: Bearer ${key}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
      'connection: close',
      ...headers,
    ]
    return running.raw(`${lines.join('\r\n')}\r\n\r\n${body}`)
  }

  it.each(claims)('R27: %s', async (name, headers) => {
    const heard = await ask(secret, id, headers)
    expect(statuses(heard)).toEqual([through.includes(name) ? 200 : 403])
    if (!through.includes(name)) expect(heard).toContain('"error":"ip_not_allowed"')
  })

  it('R27: past several trusted hops the first other one counts', async () => {
    const hops = ['x-forwarded-for: 203.0.113.7, 127.0.0.9', 'x-forwarded-for: 127.0.0.8, ::ffff:127.0.0.3']
    expect(statuses(await ask(secret, id, hops))).toEqual([trustedProxies.length > 0 ? 200 : 403])
  })

  it('R28: a v4-mapped address in the list is the v4 address of the socket', async () => {
    const made = await running.call('create_token', { name: 'mapped', allowed_ips: ['::ffff:127.0.0.1'] })
    expect(statuses(await ask(made.json.delivery.secret, made.json.token.id, []))).toEqual([200])
  })
})
