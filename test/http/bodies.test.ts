import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../support/databases.ts'
import { openServing, type Running, statuses } from './serving.ts'

describe('the bounds of a body', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  const headers = (more: Record<string, string> = {}) => ({
    authorization: `Bearer ${running.adminKey}`,
    'content-type': 'application/json',
    ...more,
  })
  const post = (path: string, body: string | Buffer, more?: Record<string, string>) =>
    running.send(path, { method: 'POST', headers: headers(more), body })

  /** A body of exactly so many bytes which an operation accepts: white space around an object. */
  const sized = (bytes: number) => '{}'.padEnd(bytes, ' ')
  const limit = 256 * 1024

  it.each(['/v1/list_groups', '/mcp'])(
    'R24: %s reads a body of 256 KiB and not a byte more',
    async (path) => {
      expect((await post(path, sized(limit - 1))).status).not.toBe(413)
      expect((await post(path, sized(limit))).status).not.toBe(413)
      expect((await post(path, sized(limit + 1))).status).toBe(413)
      expect((await post(path, sized(limit + 100_000))).status).toBe(413)
    },
  )

  it('R24: the page of one-time links reads 4 KiB', async () => {
    expect((await post('/reveal', sized(4_096))).status).toBe(400)
    expect((await post('/reveal', sized(4_097))).status).toBe(413)
  })

  it('R24: 32 levels are read and 33 are not', async () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
    expect((await post('/v1/list_groups', nested(32))).status).toBe(400)
    expect((await post('/v1/list_groups', nested(33))).status).toBe(413)
    expect((await post('/v1/list_groups', '['.repeat(10_000) + ']'.repeat(10_000))).status).toBe(413)
    expect((await post('/mcp', nested(10_000))).status).toBe(413)
  })

  it('R24: 1,000 members are read and 1,001 are not', async () => {
    const many = (count: number) => `{"a":[${Array.from({ length: count - 1 }, () => '1').join()}]}`
    expect((await post('/v1/list_groups', many(1_000))).status).toBe(400)
    expect((await post('/v1/list_groups', many(1_001))).status).toBe(413)
  })

  it('R24: 4 MiB of brackets are refused without a pause of the event loop', async () => {
    let longest = 0
    let last = performance.now()
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last - 5)
      last = performance.now()
    }, 5)
    // The client may be cut off while it still writes; only an acceptance would be wrong.
    const answer = await post('/v1/list_groups', '['.repeat(4 * 1024 * 1024)).catch(() => undefined)
    clearInterval(beat)
    expect(answer?.status ?? 413).toBe(413)
    expect(longest).toBeLessThan(250)
    // The server ends that connection half a second later, and the next test must not be sent over it.
    await sleep(750)
  })

  it('R24: compressed bodies are refused', async () => {
    const body = gzipSync('{}')
    for (const path of ['/v1/list_groups', '/mcp', '/reveal']) {
      expect((await post(path, body, { 'content-encoding': 'gzip' })).status).toBe(415)
    }
    expect((await post('/v1/list_groups', '{}', { 'content-encoding': 'identity' })).status).toBe(200)
  })

  it.each([
    ['/v1/list_groups', true, 413],
    ['/mcp', true, 413],
    ['/v1/list_groups', false, 401],
    ['/reveal', false, 413],
    ['/nothing', false, 404],
  ])('R24: an endless chunked body to %s is cut off before 1 MiB', async (path, authorized, status) => {
    const { sent, heard, ms } = await endless(running, path, authorized)
    expect(statuses(heard)).toEqual([status])
    expect(sent).toBeLessThan(1024 * 1024)
    expect(ms).toBeLessThan(5_000)
  })

  describe('of a whole document', () => {
    const document = 16 * 1024 * 1024
    const restore = (body: string, key: string | null = running.adminKey) =>
      running.send('/v1/restore_backup', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
        body,
      })
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`

    it('R24: a restore reads 16 MiB and not a byte more, any number of members, and 32 levels', async () => {
      const many = (count: number) => `{"data":{"a":[${Array.from({ length: count }, () => '1').join()}]}}`
      for (const body of [sized(document), many(100_000).padEnd(document, ' '), nested(32)])
        expect((await restore(body)).json).toMatchObject({ error: 'invalid_input' })
      expect((await restore(nested(33))).status).toBe(413)
      const over = await restore(sized(document + 1)).catch(() => undefined)
      expect(over?.status ?? 413).toBe(413)
    })

    it.each([
      ['nobody', 401],
      ['an operator', 403],
    ])('R24: %s is refused before a byte of 16 MiB is read', async (who, status) => {
      const made = await running.call('create_management_key', { name: 'op', role: 'operator' })
      const head = [
        'POST /v1/restore_backup HTTP/1.1',
        `host: 127.0.0.1:${running.port}`,
        'content-type: application/json',
        `content-length: ${document}`,
        ...(who === 'nobody' ? [] : [`authorization: Bearer ${made.json.secret}`]),
      ]
      // The body never comes: an answer shows that nobody waited for it.
      expect(statuses(await running.raw(`${head.join('\r\n')}\r\n\r\n`))).toEqual([status])
    })
  })

  it('works on after all of it', async () => {
    expect((await running.call('list_groups')).status).toBe(200)
  })
})

/** Sends chunks of 4 KiB, paced so that what is written has been read, until the server hangs up. */
function endless(running: Running, path: string, authorized: boolean) {
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${running.port}`,
    'content-type: application/json',
    'transfer-encoding: chunked',
    ...(authorized ? [`authorization: Bearer ${running.adminKey}`] : []),
  ]
  const chunk = `1000\r\n${'['.repeat(0x1000)}\r\n`
  const started = performance.now()
  return new Promise<{ sent: number; heard: string; ms: number }>((resolve) => {
    let [sent, heard] = [0, '']
    const socket = connect(running.port, '127.0.0.1', () => socket.write(`${head.join('\r\n')}\r\n\r\n`))
    const pump = setInterval(() => {
      // The head goes first, however late the connection is.
      if (socket.connecting || socket.writableLength > 0) return
      socket.write(chunk)
      sent += chunk.length
    }, 5)
    socket.on('data', (data) => {
      heard += data.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(pump)
      resolve({ sent, heard, ms: performance.now() - started })
    })
  })
}
