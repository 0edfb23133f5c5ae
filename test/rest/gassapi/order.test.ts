import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AppError, type ErrorCode } from '../../../src/core/errors.ts'
import { generateRefusal } from '../../../src/rest/gassapi/words.ts'
import { statuses, wire } from '../../http/serving.ts'
import { database } from '../../support/databases.ts'
import { median, timed } from '../../support/timing.ts'
import { verifies } from '../../support/verifies.ts'
import { setPolicy } from '../../support/world.ts'
import { openWorld, password, route, told, type World } from './world.ts'

describe('the order in which the public route decides', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
  })
  afterAll(() => world.close())

  it(`${verifies('gassapi:generate:method:host', 'gassapi:generate:method:405', 'gassapi:generate:invalid:size', 'gassapi:generate:invalid:json', 'gassapi:generate:invalid:missing', 'gassapi:generate:project:after-login')} of everything that is wrong with a request the first of the table is told`, async () => {
    const { email, project_id, beside } = world
    const spent = { 'idempotency-key': 'a-key-that-is-spent-soon' }
    expect((await world.generate({}, { headers: spent })).status).toBe(201)
    world.clock.pass(11 * 60_000)
    await setPolicy(beside, { max_lifetime_days: 90 })
    const limited = '192.0.2.60'
    for (let n = 0; n < 20; n++) await world.generate({ password: 'wrong' }, { from: limited })

    /** Each step mends one fault of the request before it; the answer names the first that is left. */
    const request = {
      host: 'evil.example',
      method: 'DELETE',
      body: `{${'x'.repeat(20_000)}`,
      from: limited,
    }
    const steps: [Partial<typeof request>, number, string][] = [
      [{}, 403, told.host],
      [{ host: `127.0.0.1:${world.port}` }, 405, told.method],
      [{ method: 'POST' }, 413, told.size],
      [{ body: '{x' }, 400, told.json],
      [{ body: '{"email":1}' }, 400, told.missing],
      [{ body: JSON.stringify({ email, password: 'wrong', project_id: 'x' }) }, 429, told.limited],
      [{ from: '192.0.2.61' }, 401, told.login],
      [{ body: JSON.stringify({ email, password, project_id: 'x' }) }, 403, told.project],
      [{ body: JSON.stringify({ email, password, project_id }) }, 400, told.policy],
    ]
    for (const [mended, status, body] of steps) {
      Object.assign(request, mended)
      const heard = await world.raw(
        wire(
          `${request.method} ${route} HTTP/1.1`,
          [
            `host: ${request.host}`,
            `x-forwarded-for: ${request.from}`,
            'idempotency-key: a-key-that-is-spent-soon',
            'authorization: Bearer mcpt_nothing',
          ],
          request.body,
        ),
      )
      expect([statuses(heard), heard.split('\r\n\r\n')[1]]).toEqual([[status], body])
    }
    await setPolicy(beside, { max_lifetime_days: null })
    const last = await world.generate({}, { headers: spent })
    expect([last.status, last.json.message]).toEqual([409, 'Failed to generate MCP token'])
  })

  const others: [ErrorCode, object, number, string][] = [
    ['internal', {}, 500, told.fault],
    ['unsupported', {}, 500, told.fault],
    ['not_found', { entity: 'user' }, 500, told.fault],
    ['gone', {}, 500, told.fault],
    [
      'unavailable',
      {},
      503,
      '{"success":false,"message":"The service is not available now","error":"Try again later"}',
    ],
    [
      'too_large',
      { reason: 'url' },
      414,
      '{"success":false,"message":"Request URL too long","error":"Bad Request"}',
    ],
    [
      'too_large',
      { reason: 'headers' },
      431,
      '{"success":false,"message":"Too many request headers","error":"Bad Request"}',
    ],
  ]

  it.each(others)(
    `${verifies('gassapi:generate:error:no-internals')} R32: %s %j is told without its text`,
    (code, facts, status, body) => {
      const answer = generateRefusal(new AppError(code, 'select /etc/passwd', facts), 'req_x')
      expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, body])
    },
  )

  it('R25: a URL and headers that are too long are refused in the words of the route, for any page to read', async () => {
    const long = await world.generate({}, { path: `${route}?${'x'.repeat(9_000)}` })
    expect([long.status, long.json.message, long.headers.get('access-control-allow-origin')]).toEqual([
      414,
      'Request URL too long',
      '*',
    ])
    const headers = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`x-${n}`, 'x']))
    const many = await world.generate({}, { headers })
    expect([many.status, many.json.message]).toEqual([431, 'Too many request headers'])
  })

  it(`${verifies('gassapi:generate:invalid:size')} R24: an endless body is cut off before 1 MiB, and what was announced as too large is not waited for`, async () => {
    const host = `host: 127.0.0.1:${world.port}`
    const announced = await world.raw(
      `POST ${route} HTTP/1.1\r\n${host}\r\ncontent-length: 20000\r\nconnection: close\r\n\r\n{`,
    )
    expect(statuses(announced)).toEqual([413])
    expect(announced).toContain('access-control-allow-origin: *\r\n')
    const { heard, sent } = await endless(world.port, `POST ${route} HTTP/1.1\r\n${host}\r\n`)
    expect(statuses(heard)).toEqual([413])
    expect(heard).toContain(told.size)
    expect(sent).toBeLessThan(1024 * 1024)
    expect((await world.generate()).status).toBe(201)
  })

  it(`${verifies('gassapi:generate:login:same-time')} R31: a refused login takes the same time whether the user exists or not`, async () => {
    const known: number[] = []
    const unknown: number[] = []
    const login = async (times: number[], body: object, n: number) => {
      const [answer, took] = await timed(() =>
        world.generate({ password: 'wrong', ...body }, { from: `198.51.100.${n}` }),
      )
      expect(answer.status).toBe(401)
      times.push(took)
    }
    const ratio = () => median(known) / median(unknown)
    // Beside other work of the machine it takes more samples to see through the noise.
    for (let n = 0; n < 250 && (n < 50 || Math.abs(ratio() - 1) > 0.05); n++) {
      // Otherwise failures from many addresses would make the one that exists wait.
      world.clock.pass(60_000)
      const attempts = [
        () => login(known, {}, n),
        () => login(unknown, { email: `nobody${n}@example.com` }, n),
      ]
      for (const attempt of n % 2 === 0 ? attempts : attempts.reverse()) await attempt()
    }
    expect(ratio()).toBeGreaterThan(0.9)
    expect(ratio()).toBeLessThan(1.1)
  }, 60_000)
})

/** Sends a chunked body, paced so that what is written has been read, until the server ends the connection. */
function endless(port: number, head: string): Promise<{ heard: string; sent: number }> {
  const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
  return new Promise((resolve) => {
    let [sent, heard] = [0, '']
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head}transfer-encoding: chunked\r\n\r\n`))
    const pump = setInterval(() => {
      if (socket.writableLength > 0) return
      socket.write(chunk)
      sent += chunk.length
    }, 5)
    socket.on('data', (data) => {
      heard += data.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(pump)
      resolve({ heard, sent })
    })
  })
}
