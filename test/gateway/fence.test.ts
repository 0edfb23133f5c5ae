import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { UpstreamFault } from '../../src/gateway/conduit.ts'
import { makeFence } from '../../src/gateway/fence.ts'
import { makeAgents } from '../../src/gateway/http/agents.ts'
import type { Resolve } from '../../src/http/fence.ts'
import { type Canary, openCanary } from './canary.ts'
import { problemOf, talk } from './conversation.ts'

const publicIp: LookupAddress = { address: '93.184.215.14', family: 4 }
const loopback: LookupAddress = { address: '127.0.0.1', family: 4 }

const names: Record<string, LookupAddress[]> = {
  'loop.example': [loopback],
  'localhost.': [loopback],
  'loop6.example': [{ address: '::1', family: 6 }],
  'mapped.example': [{ address: '::ffff:127.0.0.1', family: 6 }],
  'compatible.example': [{ address: '::127.0.0.1', family: 6 }],
  'nat64.example': [{ address: '64:ff9b::7f00:1', family: 6 }],
  'both.example': [publicIp, loopback],
  'private.example': [{ address: '10.0.0.1', family: 4 }],
  'metadata.example': [{ address: '169.254.169.254', family: 4 }],
}

const resolve: Resolve = (name, options, callback) => {
  const found = names[name]
  if (found === undefined) systemLookup(name, options, callback)
  else setImmediate(() => callback(null, found))
}

/** Every way to write a place that is none of ours to ask; PORT is the canary's. */
const places = [
  'https://127.0.0.1:PORT/mcp',
  'http://127.0.0.1:PORT/mcp',
  'https://127.1:PORT/mcp',
  'https://2130706433:PORT/mcp',
  'https://017700000001:PORT/mcp',
  'https://0177.0.0.1:PORT/mcp',
  'https://0x7f000001:PORT/mcp',
  'https://0x7f.0x0.0x0.0x1:PORT/mcp',
  'https://127.0.0.1.:PORT/mcp',
  'https://127.255.255.254:PORT/mcp',
  'https://0:PORT/mcp',
  'https://0.0.0.0:PORT/mcp',
  'https://１２７.0.0.1:PORT/mcp',
  'https://127。0。0。1:PORT/mcp',
  'https://127.0.0\t.1:PORT/mcp',
  'https:\\\\127.0.0.1:PORT\\mcp',
  'https:127.0.0.1:PORT/mcp',
  'https://[::1]:PORT/mcp',
  'https://[::]:PORT/mcp',
  'https://[0:0:0:0:0:0:0:1]:PORT/mcp',
  'https://[::ffff:127.0.0.1]:PORT/mcp',
  'https://[::ffff:7f00:1]:PORT/mcp',
  'https://[::127.0.0.1]:PORT/mcp',
  'https://[64:ff9b::7f00:1]:PORT/mcp',
  'https://[64:ff9b:1::7f00:1]:PORT/mcp',
  'https://[2002:7f00:1::]:PORT/mcp',
  'https://[fe80::1]:PORT/mcp',
  'https://[fd00::1]:PORT/mcp',
  'https://10.0.0.1:PORT/mcp',
  'https://100.64.0.1:PORT/mcp',
  'https://169.254.169.254:PORT/latest/meta-data/',
  'https://localhost:PORT/mcp',
  'https://localhost.:PORT/mcp',
  'https://LOCALHOST:PORT/mcp',
  'https://loop.example:PORT/mcp',
  'https://loop6.example:PORT/mcp',
  'https://mapped.example:PORT/mcp',
  'https://compatible.example:PORT/mcp',
  'https://nat64.example:PORT/mcp',
  'https://both.example:PORT/mcp',
  'https://private.example:PORT/mcp',
  'https://metadata.example:PORT/mcp',
  'https://user@127.0.0.1:PORT/mcp',
  'https://public.example:443@127.0.0.1:PORT/mcp',
  'https://public.example%40@127.0.0.1:PORT/mcp',
  'https://user:pass@public.example/mcp',
  'http://public.example/mcp',
  'ws://127.0.0.1:PORT/mcp',
  'ftp://127.0.0.1:PORT/mcp',
  'file:///etc/passwd',
]

describe('R36: the fence around outbound requests', () => {
  const agents = makeAgents()
  let canary: Canary

  beforeAll(async () => {
    canary = await openCanary()
  })

  afterAll(async () => {
    agents.close()
    await canary.close()
  })

  const fenced = async (place: string, allowed: string[] = []) => {
    try {
      const { initialize } = await talk(place.replaceAll('PORT', String(canary.port)), {
        agents,
        fence: makeFence({ allowed, resolve }),
        timeoutMs: 2_000,
      })
      return problemOf(await initialize())
    } catch (error) {
      expect(error).toBeInstanceOf(UpstreamFault)
      return (error as UpstreamFault).problem
    }
  }

  it('R36: has at least 30 places to try', () => {
    expect(new Set(places).size).toBe(places.length)
    expect(places.length).toBeGreaterThanOrEqual(30)
  })

  it.each(places)('R36: refuses %s, and the canary is not reached', async (place) => {
    const before = canary.reached()
    expect(await fenced(place)).toBe('fenced')
    expect(canary.reached()).toBe(before)
  })

  it('R36: refuses what is no URL', async () => {
    for (const place of [
      'https://[fe80::1%25lo]:PORT/mcp',
      'https://256.256.256.256/',
      '//127.0.0.1:PORT',
      '',
    ])
      expect(await fenced(place)).toBe('not_configured')
  })

  it('R36: reaches the canary by each of the names once the operator has listed it, so that the rest proves something', async () => {
    const listed: [place: string, allowed: string][] = [
      ['http://127.0.0.1:PORT/mcp', '127.0.0.1'],
      ['http://2130706433:PORT/mcp', '127.0.0.1'],
      ['http://loop.example:PORT/mcp', 'loop.example'],
      ['http://loop.example:PORT/mcp', `LOOP.example:${canary.port}`],
      ['https://loop.example:PORT/mcp', `loop.example:${canary.port}`],
    ]
    for (const [place, allowed] of listed) {
      const before = canary.reached()
      expect(await fenced(place, [allowed])).not.toBe('fenced')
      expect(canary.reached()).toBe(before + 1)
    }
  })

  it('R36: opens a listed host alone, and with a port that port alone', async () => {
    const before = canary.reached()
    const near: [place: string, allowed: string][] = [
      ['http://127.0.0.1:PORT/mcp', 'localhost'],
      ['http://127.0.0.1:PORT/mcp', '127.0.0.2'],
      ['http://127.0.0.1:PORT/mcp', '127.0.0.1:1'],
      ['http://127.0.0.1:PORT/mcp', '127.0.0.1:80'],
      ['http://127.0.0.1:PORT/mcp', '0.0.0.0'],
      ['http://loop.example:PORT/mcp', 'example'],
      ['http://loop.example:PORT/mcp', '.example'],
      ['http://loop.example:PORT/mcp', '*.example'],
      ['http://loop.example:PORT/mcp', '*'],
      ['http://loop.example:PORT/mcp', 'xloop.example'],
      ['http://loop.example:PORT/mcp', '127.0.0.1'],
      ['http://loop.example:PORT/mcp', ''],
      ['https://user@127.0.0.1:PORT/mcp', '127.0.0.1'],
      ['ftp://127.0.0.1:PORT/mcp', '127.0.0.1'],
    ]
    for (const [place, allowed] of near) expect(await fenced(place, [allowed])).toBe('fenced')
    expect(canary.reached()).toBe(before)
  })

  it('R36: lets v6 addresses be listed with and without brackets', () => {
    for (const entry of ['::1', '[::1]', '[::1]:8080', '0:0:0:0:0:0:0:1'])
      expect(() => makeFence({ allowed: [entry] }).check(new URL('http://[::1]:8080/mcp'))).not.toThrow()
    expect(() => makeFence({ allowed: ['[::1]:8081'] }).check(new URL('http://[::1]:8080/mcp'))).toThrow(
      '--allow-upstream [::1]:8080',
    )
  })

  it('R36: takes the default port of the protocol for a listed port', () => {
    const fence = makeFence({ allowed: ['a.example:80', 'b.example:443'] })
    expect(() => fence.check(new URL('http://a.example/'))).not.toThrow()
    expect(() => fence.check(new URL('http://b.example/'))).toThrow('--allow-upstream b.example:80')
  })

  it('R36: says to the operator what to list', () => {
    expect(() => makeFence({ allowed: [] }).check(new URL('http://tools.internal:8080/mcp'))).toThrow(
      'list it with --allow-upstream tools.internal:8080',
    )
  })
})

describe('R36: names', () => {
  const answersOf = (fence: ReturnType<typeof makeFence>, url: string, all: boolean) =>
    new Promise<unknown>((done) =>
      fence.check(new URL(url))(new URL(url).hostname, { all }, (error, address, family) =>
        done(error === null ? (family === undefined ? address : { address, family }) : error),
      ),
    )
  let calls: string[]
  beforeEach(() => {
    calls = []
  })
  const changing =
    (...turns: LookupAddress[][]): Resolve =>
    (name, _options, callback) => {
      calls.push(name)
      const found = turns[Math.min(calls.length, turns.length) - 1]!
      setImmediate(() => callback(null, found))
    }

  it('R36: hands over exactly the addresses that were tested, in both forms', async () => {
    const fence = makeFence({ allowed: [], resolve: changing([publicIp]) })
    expect(await answersOf(fence, 'https://a.example/', true)).toEqual([publicIp])
    expect(await answersOf(fence, 'https://a.example/', false)).toEqual(publicIp)
  })

  it('R36: tests a name anew at each look-up, so that one that changes is refused once it turns inwards', async () => {
    const fence = makeFence({ allowed: [], resolve: changing([publicIp], [loopback], [publicIp]) })
    expect(await answersOf(fence, 'https://a.example/', true)).toEqual([publicIp])
    expect(await answersOf(fence, 'https://a.example/', true)).toMatchObject({ problem: 'fenced' })
    expect(await answersOf(fence, 'https://a.example/', true)).toEqual([publicIp])
  })

  it('R36: looks a name up once for a connection and connects to that answer, whatever the name says next', async () => {
    const canary = await openCanary()
    const server = createServer((_request, response) => response.writeHead(418).end()).listen(
      canary.port,
      '127.0.0.2',
    )
    await once(server, 'listening')
    const agents = makeAgents()
    const { initialize } = await talk(`http://a.example:${canary.port}/mcp`, {
      agents,
      fence: makeFence({
        allowed: ['a.example'],
        resolve: changing([{ address: '127.0.0.2', family: 4 }], [loopback]),
      }),
    })
    expect(await initialize()).toMatchObject({ problem: 'refused', message: expect.stringContaining('418') })
    expect(calls).toEqual(['a.example'])
    expect(canary.reached()).toBe(0)
    agents.close()
    server.close()
    await canary.close()
  })

  it('R36: refuses a name of which only one address is not public', async () => {
    const fence = makeFence({ allowed: [], resolve: changing([publicIp, { address: 'fd00::1', family: 6 }]) })
    expect(await answersOf(fence, 'https://a.example/', true)).toMatchObject({ problem: 'fenced' })
  })

  it('asks once for look-ups of one name that come at the same time', async () => {
    const fence = makeFence({ allowed: [], resolve: changing([publicIp]) })
    const all = await Promise.all([1, 2, 3].map(() => answersOf(fence, 'https://a.example/', true)))
    expect(all).toEqual([[publicIp], [publicIp], [publicIp]])
    expect(calls).toEqual(['a.example'])
  })

  it('says that a name without addresses is unreachable', async () => {
    const fence = makeFence({ allowed: [], resolve: changing([]) })
    expect(await answersOf(fence, 'https://a.example/', true)).toMatchObject({ problem: 'unreachable' })
  })
})

describe('R36: redirects', () => {
  it.each([301, 302, 303, 307, 308])('R36: does not follow a %i to loopback', async (status) => {
    const canary = await openCanary()
    const server = createServer((_request, response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${canary.port}/mcp` }).end(),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const agents = makeAgents()
    const { port } = server.address() as { port: number }
    const { initialize, ask, conduit } = await talk(`http://127.0.0.1:${port}/mcp`, { agents })
    expect(problemOf(await initialize())).toBe('refused')
    expect(problemOf(await ask('tools/list'))).toBe('refused')
    await expect(conduit.send({ jsonrpc: '2.0', method: 'notifications/initialized' })).rejects.toThrow(
      'redirects',
    )
    conduit.listen()
    await conduit.close()
    expect(canary.reached()).toBe(0)
    agents.close()
    server.close()
    await canary.close()
  })
})
