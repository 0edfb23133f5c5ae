import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openApp } from '../../src/app.ts'
import { StartRefused } from '../../src/core/master-key.ts'
import { makeGuard } from '../../src/http/guard.ts'
import { makeLog } from '../../src/log.ts'
import { type ServeOptions, serve } from '../../src/serve.ts'
import { openRevealListener } from '../../src/web/loopback.ts'
import { database } from '../support/databases.ts'
import { exchange, openServing, type Running, statuses, wire } from './serving.ts'

describe('Host and Origin', () => {
  let running: Running
  let listener: { url: string; close(): Promise<void> }
  let closeApp: () => Promise<void>
  const lines = [
    'GET /health HTTP/1.1',
    'GET /ready HTTP/1.1',
    'GET /metrics HTTP/1.1',
    'GET / HTTP/1.1',
    'GET /reveal HTTP/1.1',
    'GET /docs HTTP/1.1',
    'GET /redoc HTTP/1.1',
    'GET /openapi.json HTTP/1.1',
    'POST /v1/list_groups HTTP/1.1',
    'POST /mcp HTTP/1.1',
    'GET /nothing HTTP/1.1',
  ]

  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    const place = await database('sqlite').fresh()
    const log = makeLog('silent')
    const app = await openApp({ dataDir: place.dataDir, location: place.location, serving: false, log })
    listener = await openRevealListener(app.core, log)
    closeApp = async () => {
      await listener.close()
      await app.close()
      await place.remove()
    }
  })
  afterAll(async () => {
    await closeApp()
    await running.close()
  })

  const foreignHosts = (port: number) => [
    [`host: 127.0.0.1:${port + 1}`],
    ['host: 127.0.0.1'],
    [`host: 127.0.0.1.:${port}`],
    [`host: localhost.:${port}`],
    [`host: LOCALHOST:${port}`],
    [`host: Localhost:${port}`],
    [`host: localhost.evil.example:${port}`],
    [`host: 127.0.0.1.evil.example:${port}`],
    [`host: evil.example`],
    [`host: 2130706433:${port}`],
    [`host: 0177.0.0.1:${port}`],
    [`host: 0x7f.0.0.1:${port}`],
    [`host: 127.1:${port}`],
    [`host: 0.0.0.0:${port}`],
    [`host: [::1]:${port}`],
    [`host: [::ffff:127.0.0.1]:${port}`],
    [`host: user@127.0.0.1:${port}`],
    [`host: 127.0.0.1:${port}@evil.example`],
    [`host: 127.0.0.1:0${port}`],
    [`host: 127.0.0.1:${port}/`],
    [`host: 127.0.0.1:${port}, evil.example`],
    ['host:'],
    [],
    [`host: 127.0.0.1:${port}`, 'host: evil.example'],
    [`host: 127.0.0.1:${port}`, `host: 127.0.0.1:${port}`],
  ]

  it.each(lines)('R22: a Host that is not on the list is refused before anything else: %s', async (line) => {
    for (const hosts of foreignHosts(running.port)) {
      const heard = await running.raw(wire(line, [...hosts, `authorization: Bearer ${running.adminKey}`]))
      expect([hosts, statuses(heard)]).toEqual([hosts, [403]])
      expect(heard).toContain(line.includes('/mcp') ? '"code":-32003' : '{"error":"forbidden","detail":')
      expect(heard).not.toMatch(/evil|2130706433|0x7f/)
    }
  })

  it.each(lines)(
    'R22: an Origin that is not on the list is refused before anything else: %s',
    async (line) => {
      const { port } = running
      const foreign = [
        'null',
        'file://',
        `http://127.0.0.1:${port + 1}`,
        'http://127.0.0.1',
        `https://127.0.0.1:${port}`,
        `http://127.0.0.1:${port}.evil.example`,
        `http://evil-127.0.0.1:${port}`,
        `http://localhost:${port}.evil.example`,
        `http://localhost:${port}/`,
        `HTTP://localhost:${port}`,
        'http://evil.example',
        '',
      ]
      for (const origin of foreign) {
        const headers = [
          `host: 127.0.0.1:${port}`,
          `origin: ${origin}`,
          `authorization: Bearer ${running.adminKey}`,
        ]
        const heard = await running.raw(wire(line, headers))
        expect([origin, statuses(heard)]).toEqual([origin, [403]])
        expect(heard).not.toMatch(/evil/)
        expect(heard.toLowerCase()).not.toContain('access-control')
      }
    },
  )

  it('R33: on the MCP endpoint a foreign Origin gets the fixed JSON-RPC body, elsewhere our own', async () => {
    const hosts = [`host: 127.0.0.1:${running.port}`, 'origin: http://evil.example']
    expect(await running.raw(wire('POST /mcp HTTP/1.1', hosts))).toContain(
      '{"jsonrpc":"2.0","error":{"code":-32003,"message":"Forbidden"},"id":null}',
    )
    expect(await running.raw(wire('POST /mcpx HTTP/1.1', hosts))).toContain('{"error":"forbidden"')
  })

  it('R22: the listener of a stdio process refuses the same, and serves the page and nothing else', async () => {
    const port = Number(new URL(listener.url).port)
    for (const hosts of foreignHosts(port)) {
      expect(statuses(await exchange(port, wire('GET /reveal HTTP/1.1', hosts)))).toEqual([403])
    }
    const host = `host: 127.0.0.1:${port}`
    const foreign = await exchange(port, wire('POST /reveal HTTP/1.1', [host, 'origin: http://evil.example']))
    expect(statuses(foreign)).toEqual([403])
    expect(statuses(await exchange(port, wire('GET /reveal HTTP/1.1', [host])))).toEqual([200])
    for (const path of ['/', '/health', '/metrics', '/v1/list_groups', '/mcp']) {
      expect(statuses(await exchange(port, wire(`GET ${path} HTTP/1.1`, [host])))).toEqual([404])
    }
  })

  it('R22: a request line that names another host than the header is refused, one that agrees is served', async () => {
    const own = `127.0.0.1:${running.port}`
    const status = async (target: string) =>
      statuses(await running.raw(wire(`GET ${target} HTTP/1.1`, [`host: ${own}`])))
    expect(await status(`http://evil.example/health`)).toEqual([403])
    expect(await status(`http://localhost:${running.port}/health`)).toEqual([403])
    expect(await status(`https://${own}/health`)).toEqual([403])
    expect(await status(`http://user@${own}/health`)).toEqual([403])
    expect(await status(`http://${own}.evil.example/health`)).toEqual([403])
    expect(await status(`http://${own}/health`)).toEqual([200])
  })

  it('R22: the address bound to, localhost and their origins pass, with or without an Origin', async () => {
    for (const name of ['127.0.0.1', 'localhost']) {
      const host = `host: ${name}:${running.port}`
      expect(statuses(await running.raw(wire('GET /health HTTP/1.1', [host])))).toEqual([200])
      const origin = `origin: http://${name}:${running.port}`
      expect(statuses(await running.raw(wire('GET /health HTTP/1.1', [host, origin])))).toEqual([200])
    }
  })

  it('R23: a preflight from a foreign page gets 403 and one from our own no permission', async () => {
    const headers = [`host: 127.0.0.1:${running.port}`, 'access-control-request-method: POST']
    const heard = await running.raw(
      wire('OPTIONS /v1/list_groups HTTP/1.1', [...headers, 'origin: https://evil.example']),
    )
    expect(statuses(heard)).toEqual([403])
    const own = await running.raw(
      wire('OPTIONS /v1/list_groups HTTP/1.1', [...headers, `origin: http://127.0.0.1:${running.port}`]),
    )
    expect(statuses(own)).toEqual([401])
    expect((heard + own).toLowerCase()).not.toContain('access-control')
  })
})

describe('the list of names', () => {
  const passes = (host: string, origin?: string) =>
    makeGuard({
      host: '10.0.0.5',
      port: 8787,
      publicUrl: 'https://tokens.example/base',
      allowedHosts: ['plain.example', 'ported.example:9000', 'tls.example:443', '::1', 'Mixed.Example'],
      allowedOrigins: ['https://app.example'],
    })({
      url: '/',
      rawHeaders: ['Host', host, ...(origin === undefined ? [] : ['Origin', origin])],
    } as never)

  it.each([
    ['10.0.0.5:8787', undefined],
    ['tokens.example', 'https://tokens.example'],
    ['tokens.example:443', undefined],
    ['plain.example:8787', 'http://plain.example:8787'],
    ['ported.example:9000', 'http://ported.example:9000'],
    ['tls.example', 'https://tls.example'],
    ['[::1]:8787', undefined],
    ['mixed.example:8787', undefined],
    ['tokens.example', 'https://app.example'],
  ])('R22: lets Host %s with Origin %s pass', (host, origin) => {
    expect(passes(host, origin)).toBe(true)
  })

  it.each([
    ['localhost:8787', undefined],
    ['tokens.example:8787', undefined],
    ['tokens.example', 'http://tokens.example'],
    ['plain.example', undefined],
    ['plain.example:8787', 'https://plain.example:8787'],
    ['tokens.example', 'https://app.example.evil.example'],
    ['app.example', undefined],
  ])('R22: refuses Host %s with Origin %s', (host, origin) => {
    expect(passes(host, origin)).toBe(false)
  })
})

describe('the start', () => {
  const start = async (options: Partial<ServeOptions>) => {
    const place = await database('sqlite').fresh()
    try {
      const running = await serve({
        instance: { dataDir: place.dataDir, location: place.location },
        host: '127.0.0.1',
        port: 0,
        allowedHosts: [],
        allowedOrigins: [],
        trustedProxies: [],
        metricsPublic: false,
        sessions: 'on',
        toolsets: ['tokens'],
        readOnly: false,
        version: '0',
        log: makeLog('silent'),
        ...options,
      })
      await running.close()
    } finally {
      await place.remove()
    }
  }

  it.each(['0.0.0.0', '::', '192.0.2.1'])(
    'R22: on %s it refuses to start until a name is given',
    async (host) => {
      await expect(start({ host })).rejects.toThrow(StartRefused)
      await expect(start({ host })).rejects.toThrow(/^host is .*--public-url or --allowed-host/)
    },
  )

  it('R22: on all addresses it starts with a name', async () => {
    await start({ host: '0.0.0.0', allowedHosts: ['tokens.example'] })
    await start({ host: '0.0.0.0', publicUrl: 'https://tokens.example' })
  })

  it('says which setting is wrong when the port is taken or a host name is none', async () => {
    const running = await openServing(database('sqlite'))
    await expect(start({ port: running.port })).rejects.toThrow(/^port \d+ is in use/)
    await running.close()
    await expect(start({ allowedHosts: ['a:b:c'] })).rejects.toThrow(/^allowed_hosts/)
  })
})
