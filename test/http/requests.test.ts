import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../support/databases.ts'
import { openServing, type Running, statuses } from './serving.ts'

describe('odd requests', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  const table: [string, (host: string) => string, number[]][] = [
    [
      'both length headers',
      (h) => `POST /v1/x HTTP/1.1\r\n${h}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      [400],
    ],
    [
      'two lengths',
      (h) => `POST /v1/x HTTP/1.1\r\n${h}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`,
      [400],
    ],
    [
      'a bad chunk size',
      (h) => `POST /health HTTP/1.1\r\n${h}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      [400, 404],
    ],
    ['a negative length', (h) => `POST /v1/x HTTP/1.1\r\n${h}content-length: -1\r\n\r\n`, [400]],
    ['a folded header', (h) => `GET /health HTTP/1.1\r\n${h}x: a\r\n b\r\n\r\n`, [400, 200]],
    ['a space before the colon', (h) => `GET /health HTTP/1.1\r\n${h}x : a\r\n\r\n`, [400]],
    ['NUL in a value', (h) => `GET /health HTTP/1.1\r\n${h}x: a\0b\r\n\r\n`, [400]],
    ['CR in a value', (h) => `GET /health HTTP/1.1\r\n${h}x: a\rb\r\n\r\n`, [400]],
    ['HTTP/0.9', () => 'GET /health\r\n\r\n', [400, 403]],
    ['a version of the future', (h) => `GET /health HTTP/9.9\r\n${h}\r\n`, [400]],
    ['another protocol', () => 'SSH-2.0-x\r\n', [400]],
    ['200 headers', (h) => `GET /health HTTP/1.1\r\n${h}${'a: b\r\n'.repeat(200)}\r\n`, [431]],
    ['101 headers', (h) => `GET /health HTTP/1.1\r\n${h}${'a: b\r\n'.repeat(100)}\r\n`, [431]],
    ['a header of 20 KiB', (h) => `GET /health HTTP/1.1\r\n${h}x: ${'y'.repeat(20_480)}\r\n\r\n`, [431]],
    ['a URL of 20 KiB', (h) => `GET /${'y'.repeat(20_480)} HTTP/1.1\r\n${h}\r\n`, [414, 431]],
    ['a URL of 9 KiB', (h) => `GET /${'y'.repeat(9_216)} HTTP/1.1\r\n${h}\r\n`, [414]],
    ['broken percent escapes', (h) => `GET /%zz%%/%c0%af HTTP/1.1\r\n${h}\r\n`, [404]],
    ['broken percent escapes below /v1', (h) => `POST /v1/%zz%%00 HTTP/1.1\r\n${h}\r\n`, [401]],
    ['a backslash in the path', (h) => `GET /a\\b HTTP/1.1\r\n${h}\r\n`, [400, 404]],
    ['dots in the path', (h) => `GET /reveal/../../etc/passwd HTTP/1.1\r\n${h}\r\n`, [404]],
    ['two slashes', (h) => `GET //evil.example/health HTTP/1.1\r\n${h}\r\n`, [404]],
    ['an unknown method', (h) => `BREW /health HTTP/1.1\r\n${h}\r\n`, [400]],
    ['a method for files', (h) => `PROPFIND /health HTTP/1.1\r\n${h}\r\n`, [404]],
    ['TRACE', (h) => `TRACE /health HTTP/1.1\r\n${h}\r\n`, [404, 400]],
    ['CONNECT', (h) => `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${h}\r\n`, [405]],
    ['an asterisk', (h) => `OPTIONS * HTTP/1.1\r\n${h}\r\n`, [400, 404]],
    [
      'an upgrade',
      (h) => `GET /health HTTP/1.1\r\n${h}connection: upgrade\r\nupgrade: websocket\r\n\r\n`,
      [200],
    ],
    ['an expectation nobody knows', (h) => `GET /health HTTP/1.1\r\n${h}expect: miracles\r\n\r\n`, [417]],
    ['__proto__ as a path', (h) => `POST /v1/__proto__ HTTP/1.1\r\n${h}\r\n`, [401]],
  ]

  it.each(table)(
    'R25: %s is answered with 4xx or closed, or is harmless, and nothing breaks',
    async (_, bytes, allowed) => {
      const heard = await running.raw(bytes(`host: 127.0.0.1:${running.port}\r\n`))
      const found = statuses(heard)
      expect(found.length).toBeLessThanOrEqual(1)
      expect([...allowed, undefined]).toContain(found[0])
      expect(heard).not.toMatch(/\bat \S+ \(|node_modules|HPE_/)
      expect((await running.send('/health')).status).toBe(200)
    },
  )

  it('R25: a request hidden in the body of another is not answered', async () => {
    const hidden = `GET /health HTTP/1.1\r\nhost: 127.0.0.1:${running.port}\r\n\r\n`
    const head = `POST /v1/list_groups HTTP/1.1\r\nhost: 127.0.0.1:${running.port}\r\nauthorization: Bearer ${running.adminKey}`
    const heard = await running.raw(
      `${head}\r\ncontent-type: application/json\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`,
    )
    expect(statuses(heard)).toEqual([400])
  })

  it('R25: with Expect: 100-continue a body that fits is asked for, one that does not is refused', async () => {
    const head = (length: number) =>
      `POST /v1/list_groups HTTP/1.1\r\nhost: 127.0.0.1:${running.port}\r\nauthorization: Bearer ${running.adminKey}\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`
    expect(await running.raw(`${head(2)}{}`)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    expect(await running.raw(head(50_000_000))).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('R26: who dribbles a header is hung up on after 10 to 15 seconds, and does not hold others up', async () => {
    const started = performance.now()
    const closed = Promise.all(
      Array.from({ length: 50 }, () => {
        const socket = connect(running.port, '127.0.0.1')
        socket.write(`GET /health HTTP/1.1\r\nhost: 127.0.0.1:${running.port}\r\nx: `)
        const dribble = setInterval(() => socket.write('y'), 500)
        socket.on('error', () => undefined)
        return new Promise<number>((resolve) => {
          socket.on('close', () => {
            clearInterval(dribble)
            resolve(performance.now() - started)
          })
        })
      }),
    )
    expect((await running.send('/health')).status).toBe(200)
    for (const ms of await closed) expect(ms).toBeLessThan(20_000)
  })
})
