import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { makeFence } from '../../src/gateway/fence.ts'
import { makeAgents } from '../../src/gateway/http/agents.ts'
import { talk as openTalk, type Talk, type TalkOptions } from './conversation.ts'
import { freePort } from './everything.ts'
import { event, json, result, startRaw, startUpstream, stream, type Upstream, usual } from './upstream.ts'

const agents = makeAgents()
const open: Upstream[] = []

async function upstream(...args: Parameters<typeof startUpstream>) {
  const one = await startUpstream(...args)
  open.push(one)
  return one
}

async function raw(...args: Parameters<typeof startRaw>) {
  const one = await startRaw(...args)
  open.push(one)
  return one
}

const talk = (url: string, options: TalkOptions = {}) => openTalk(url, { agents, ...options })

/** What a call comes to, and that it comes to nothing else, now or a little later. */
async function fate(talked: Talk, method = 'tools/call') {
  const at = Date.now()
  const outcome = await talked.ask(method, { name: 'x' })
  const took = Date.now() - at
  await new Promise((done) => setTimeout(done, 20))
  const { failed, closed, messages } = talked.heard
  return { ...outcome, took, told: failed.length + closed.length, messages: messages.length }
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
afterAll(() => agents.close())

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** It can be parsed, and is too deep for whoever writes it again. */
const deep = `{"jsonrpc":"2.0","id":1,"result":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`

describe('an upstream that speaks garbage', () => {
  const bodies: [string, string, string, string][] = [
    ['cut JSON', 'application/json', '{"jsonrpc":"2.0","id":1,"resu', 'garbage'],
    ['nothing', 'application/json', '', 'garbage'],
    ['other JSON', 'application/json', '{"hello":"world"}', 'garbage'],
    ['a number', 'application/json', '7', 'garbage'],
    ['null', 'application/json', 'null', 'garbage'],
    ['an empty array', 'application/json', '[]', 'garbage'],
    [
      'an array with something else in it',
      'application/json',
      '[{"jsonrpc":"2.0","id":1,"result":{}},7]',
      'garbage',
    ],
    ['an older JSON-RPC', 'application/json', '{"jsonrpc":"1.0","id":1,"result":{}}', 'garbage'],
    [
      'result and error',
      'application/json',
      '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
      'garbage',
    ],
    ['neither of them', 'application/json', '{"jsonrpc":"2.0","id":1}', 'garbage'],
    ['a result that is no object', 'application/json', '{"jsonrpc":"2.0","id":1,"result":"x"}', 'garbage'],
    ['no id', 'application/json', '{"jsonrpc":"2.0","result":{}}', 'garbage'],
    ['an id that is an object', 'application/json', '{"jsonrpc":"2.0","id":{},"result":{}}', 'garbage'],
    ['HTML', 'text/html', '<html>Welcome</html>', 'garbage'],
    ['JSON as text', 'text/plain', '{"jsonrpc":"2.0","id":1,"result":{}}', 'garbage'],
    ['no type', '', '{"jsonrpc":"2.0","id":1,"result":{}}', 'garbage'],
    ['an event that is no JSON', 'text/event-stream', 'data: hello\n\n', 'garbage'],
    ['an event that is no message', 'text/event-stream', 'data: {}\n\n', 'garbage'],
    ['a message of 100,000 levels', 'application/json', deep, 'too_large'],
    ['an event of 100,000 levels', 'text/event-stream', `data: ${deep}\n\n`, 'too_large'],
    [
      'a message of 200,001 members',
      'application/json',
      `{"jsonrpc":"2.0","id":1,"result":{"a":[${'1,'.repeat(200_000)}1]}}`,
      'too_large',
    ],
    ['a stream without an answer', 'text/event-stream', ': nothing\n\n', 'crashed'],
    [
      'an event of another name',
      'text/event-stream',
      'event: x\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
      'crashed',
    ],
  ]

  it.each(bodies)('by %s fails that request alone', async (_, type, body, problem) => {
    let broken = true
    const server = await upstream((seen, response) => {
      if (!broken) return json(response, result(seen.message.id))
      response.writeHead(200, type === '' ? {} : { 'content-type': type }).end(body)
    })
    const talked = await talk(server.url)
    expect(await fate(talked)).toMatchObject({ problem, told: 1, messages: 0 })
    broken = false
    expect(await talked.ask('ping')).toEqual(result(2))
  })

  it('by an answer to another request fails the one that was asked', async () => {
    const server = await upstream((_seen, response) => json(response, result('another')))
    expect(await fate(await talk(server.url))).toMatchObject({ problem: 'garbage', told: 1 })
  })

  it('by 202 or 204 to a request fails it', async () => {
    for (const status of [202, 204]) {
      const server = await upstream((_seen, response) => response.writeHead(status).end())
      expect(await fate(await talk(server.url))).toMatchObject({ problem: 'garbage' })
    }
  })

  it('by a compressed answer, which was not asked for, fails the request', async () => {
    const server = await upstream((seen, response) => {
      expect(seen.headers['accept-encoding']).toBe('identity')
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(JSON.stringify(result(seen.message.id))))
    })
    expect(await fate(await talk(server.url))).toMatchObject({ problem: 'garbage', told: 1 })
  })

  it('by what is no HTTP fails the request', async () => {
    for (const text of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      '\0\0\0\0',
      '{"jsonrpc":"2.0"}',
      `HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n`,
    ]) {
      const server = await raw((socket) => socket.write(text))
      expect(await fate(await talk(server.url))).toMatchObject({ problem: 'garbage', told: 1 })
    }
  })

  it('by a session id that no header may hold fails the first request', async () => {
    for (const id of ['with blank', 'ü', 'a'.repeat(2_000)]) {
      const server = await upstream((seen, response) =>
        json(response, result(seen.message.id), 200, { 'mcp-session-id': id }),
      )
      expect(await (await talk(server.url)).initialize()).toMatchObject({ problem: 'garbage' })
    }
  })

  it('by a version that no header may hold is spoken to without one', async () => {
    const server = await upstream((seen, response) =>
      json(
        response,
        result(seen.message.id, { protocolVersion: seen.message.id === 1 ? 'a\r\nx-evil: 1' : 7 }),
      ),
    )
    const { initialize, ask } = await talk(server.url)
    await initialize()
    await ask('ping')
    expect(server.seen[1]?.headers).not.toHaveProperty('mcp-protocol-version')
    expect(server.seen[1]?.headers).not.toHaveProperty('x-evil')
  })
})

describe('an upstream that refuses', () => {
  const statuses: [number, string][] = [
    [301, 'refused'],
    [304, 'refused'],
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'refused'],
    [406, 'refused'],
    [429, 'refused'],
    [500, 'refused'],
    [503, 'refused'],
  ]

  it.each(statuses)('with %i fails the request with %s, and a notification too', async (status, problem) => {
    const server = await upstream((_seen, response) => response.writeHead(status).end('<html>no</html>'))
    const talked = await talk(server.url)
    expect(await fate(talked)).toMatchObject({ problem, told: 1 })
    await expect(talked.conduit.send({ jsonrpc: '2.0', method: 'notifications/x' })).rejects.toMatchObject({
      problem,
    })
  })

  it('with a JSON-RPC error of its own is heard', async () => {
    for (const status of [400, 404, 422, 500]) {
      const error = { code: -32602, message: 'no such tool' }
      const server = await upstream((seen, response) =>
        json(response, { jsonrpc: '2.0', id: seen.message.id, error }, status),
      )
      const talked = await talk(server.url)
      expect(await talked.ask('tools/call')).toEqual({ jsonrpc: '2.0', id: 1, error })
      expect(await talked.initialize()).toEqual({ jsonrpc: '2.0', id: 2, error })
    }
  })

  it('the credentials stored for it is told so, whatever else it says', async () => {
    const error = { code: -32001, message: 'who are you' }
    for (const status of [401, 403]) {
      const server = await upstream((seen, response) =>
        json(response, { jsonrpc: '2.0', id: seen.message.id, error }, status),
      )
      expect(await fate(await talk(server.url))).toMatchObject({
        problem: 'unauthorized',
        told: 1,
        messages: 0,
      })
    }
  })

  it('with an error for nobody, or for another, fails the request', async () => {
    for (const id of [null, 'server-error', 99]) {
      const server = await upstream((_seen, response) =>
        json(response, { jsonrpc: '2.0', id, error: { code: -32600, message: 'bad' } }, 400),
      )
      expect(await fate(await talk(server.url))).toMatchObject({ problem: 'refused', messages: 0 })
    }
  })

  it('says nothing of a stored header or of its own text in the fault', async () => {
    const server = await upstream((seen, response) =>
      response.writeHead(401).end(`your key ${seen.headers['x-key']} is wrong`),
    )
    const talked = await talk(server.url, { headers: { 'x-key': 'upstream-secret' } })
    await fate(talked)
    expect(
      JSON.stringify(talked.heard.failed.map(({ fault }) => [fault.message, fault.stack])),
    ).not.toContain('upstream-secret')
  })

  it('says not_configured where a stored header cannot be sent, and not its value', async () => {
    const server = await upstream(() => {})
    const talked = await talk(server.url, { headers: { 'x-key': 'upstream-secret\r\nx-more: 1' } })
    expect(await fate(talked)).toMatchObject({ problem: 'not_configured', told: 1 })
    expect(talked.heard.failed[0]?.fault.message).not.toContain('upstream-secret')
    await expect(talked.conduit.send({ jsonrpc: '2.0', method: 'notifications/x' })).rejects.toMatchObject({
      problem: 'not_configured',
    })
    expect(server.seen).toEqual([])
  })

  it('with 404 within a session has ended it: told once, for everything that waits', async () => {
    const server = await upstream(
      usual((seen, response) => {
        if (seen.message.method === 'ping') return response.writeHead(404).end()
        stream(response)
      }),
    )
    const { initialize, conduit, ask, heard } = await talk(server.url)
    await initialize()
    await conduit.send({ jsonrpc: '2.0', id: 'a', method: 'tools/call', params: {} })
    expect(await ask('ping')).toMatchObject({ problem: 'session_ended' })
    await expect(conduit.send({ jsonrpc: '2.0', id: 'b', method: 'ping' })).rejects.toMatchObject({
      problem: 'session_ended',
    })
    expect(heard.failed).toEqual([])
    expect(heard.closed).toHaveLength(1)
    await conduit.close()
    expect(server.seen.at(-1)?.method).toBe('POST')
  })

  it('with 404 to a notification within a session has ended it as well', async () => {
    const server = await upstream((seen, response, request) => {
      if (seen.message?.id === undefined) return response.writeHead(404).end()
      return usual(() => {})(seen, response, request)
    })
    const { initialize, conduit, heard } = await talk(server.url)
    await initialize()
    await expect(conduit.send({ jsonrpc: '2.0', method: 'notifications/x' })).rejects.toMatchObject({
      problem: 'session_ended',
    })
    expect(heard.closed).toHaveLength(1)
  })

  it('with 400 for another reason than the session goes on', async () => {
    const server = await upstream(usual((_seen, response) => json(response, { error: 'bad' }, 400)))
    const talked = await talk(server.url)
    await talked.initialize()
    expect(await fate(talked)).toMatchObject({ problem: 'refused' })
    expect(talked.heard.closed).toEqual([])
  })
})

describe('an upstream that is down or slow', () => {
  const timeoutMs = 300

  it('is unreachable where nobody listens, or the name has no address', async () => {
    expect(await fate(await talk(`http://127.0.0.1:${await freePort()}/mcp`))).toMatchObject({
      problem: 'unreachable',
      told: 1,
    })
    const fence = makeFence({
      allowed: ['nowhere.example'],
      resolve: (_name, _options, callback) =>
        callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []),
    })
    const outcome = await fate(await talk('http://nowhere.example/mcp', { fence }))
    expect(outcome).toMatchObject({
      problem: 'unreachable',
      message: expect.stringContaining('ENOTFOUND'),
      told: 1,
    })
  })

  it('fails in time where the name is never found, or TLS is never spoken, where nothing can have been done', async () => {
    const quick = makeAgents({ connectMs: 200 })
    const fence = makeFence({ allowed: ['slow.example'], resolve: () => {} })
    const named = await fate(await talk('http://slow.example/mcp', { fence, agents: quick }))
    expect(named).toMatchObject({ problem: 'unreachable', told: 1 })
    const silent = createTcp(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const gone = createTcp((socket) => socket.once('data', () => socket.resetAndDestroy())).listen(
      0,
      '127.0.0.1',
    )
    await once(gone, 'listening')
    const cut = await fate(await talk(`https://127.0.0.1:${(gone.address() as { port: number }).port}/mcp`))
    expect(cut).toMatchObject({ problem: 'unreachable', told: 1 })
    gone.close()
    const tls = await fate(await talk(`https://127.0.0.1:${port}/mcp`, { agents: quick }))
    expect(tls).toMatchObject({ problem: 'unreachable', told: 1 })
    expect(Math.max(named.took, tls.took)).toBeLessThan(4_000)
    quick.close()
    silent.close()
  })

  const silences: [string, Parameters<typeof startRaw>[0]][] = [
    ['says nothing', () => {}],
    ['stops within the head', (socket) => socket.write('HTTP/1.1 200 OK\r\nconte')],
    ['stops behind the head', (socket) => socket.write(`${head}content-length: 100\r\n\r\n`)],
    ['stops within the body', (socket) => socket.write(`${head}content-length: 100\r\n\r\n{"jso`)],
    [
      'stops within a stream',
      (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"jso'),
    ],
    ['stops within a refusal', (socket) => socket.write('HTTP/1.1 500 No\r\ncontent-length: 100\r\n\r\nno')],
  ]

  it.each(silences)('and %s is given up in time, and its connection closed', async (_, say) => {
    let gone = false
    const server = await raw((socket, came) => {
      socket.on('close', () => {
        gone = true
      })
      return say(socket, came)
    })
    const outcome = await fate(await talk(server.url, { timeoutMs }))
    expect(outcome).toMatchObject({ problem: 'timeout', told: 1 })
    expect(outcome.took).toBeGreaterThanOrEqual(timeoutMs - 5)
    expect(outcome.took).toBeLessThan(timeoutMs + 3_000)
    await expect.poll(() => gone).toBe(true)
  })

  const drips: [string, string][] = [
    ['the head', 'HTTP/1.1 200 OK\r\nx-slow: '],
    ['a body', `${head}content-length: 1000\r\n\r\n`],
    ['a line of a stream', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: '],
    ['a refusal', 'HTTP/1.1 500 No\r\ncontent-length: 1000\r\n\r\n'],
  ]

  it.each(drips)('and lets %s drip is given up in time', async (_, start) => {
    const server = await raw((socket) => {
      socket.write(start)
      const drip = setInterval(() => socket.write('x'), 40)
      socket.on('close', () => clearInterval(drip))
    })
    const outcome = await fate(await talk(server.url, { timeoutMs: 200 }))
    expect(outcome).toMatchObject({ problem: 'timeout', told: 1 })
    expect(outcome.took).toBeLessThan(5_000)
  })

  it('is waited for as long as its stream says something', async () => {
    const server = await upstream((seen, response) => {
      stream(response)
      let left = 8
      const beat = setInterval(() => {
        left -= 1
        if (left > 0) return response.write(': still here\n\n')
        clearInterval(beat)
        response.end(event(result(seen.message.id)))
      }, 200)
    })
    const outcome = await fate(await talk(server.url, { timeoutMs: 1_000 }))
    expect(outcome).toMatchObject({ result: {}, told: 0 })
    expect(outcome.took).toBeGreaterThan(1_300)
  })

  it('holds up no other conversation', async () => {
    const silent = await raw(() => {})
    const good = await upstream((seen, response) => json(response, result(seen.message.id)))
    const slow = (await talk(silent.url, { timeoutMs: 3_000 })).ask('tools/call')
    const quick = await fate(await talk(good.url))
    expect(quick).toMatchObject({ result: {} })
    expect(await Promise.race([slow, 'still waiting'])).toBe('still waiting')
    expect(await slow).toMatchObject({ problem: 'timeout' })
  })
})

describe('an upstream that breaks off', () => {
  const cuts: [string, string][] = [
    ['before the answer', ''],
    ['within the head', 'HTTP/1.1 200 OK\r\nconte'],
    ['within the body', `${head}content-length: 100\r\n\r\n{"jso`],
    ['within a chunk', `${head}transfer-encoding: chunked\r\n\r\n40\r\n{"jso`],
    [
      'within a chunked stream',
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\n: hi\n\n\r\n',
    ],
  ]

  it.each(cuts)('%s fails the request once', async (_, text) => {
    for (const way of ['end', 'reset'] as const) {
      const server = await raw((socket) => {
        if (text !== '') socket.write(text)
        setTimeout(() => (way === 'end' ? socket.end() : socket.resetAndDestroy()), 20)
      })
      const outcome = await fate(await talk(server.url))
      expect(way === 'end' ? ['crashed', 'garbage'] : ['crashed']).toContain(
        (outcome as { problem?: string }).problem,
      )
      expect(outcome.told).toBe(1)
    }
  })

  it('behind the answer has answered', async () => {
    const server = await upstream((seen, response) => {
      stream(response)
      response.write(event(result(seen.message.id)))
      setTimeout(() => response.destroy(), 10)
    })
    expect(await fate(await talk(server.url))).toMatchObject({ result: {}, told: 0 })
  })
})

describe('an upstream that says too much', () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x')

  const floods: [string, string][] = [
    ['a line of a stream without end', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: '],
    ['a body without end', `${head}connection: close\r\n\r\n"`],
    ['a refusal without end', 'HTTP/1.1 500 No\r\nconnection: close\r\n\r\n'],
  ]

  it.each(floods)('by %s is cut off soon, and not kept', async (_, start) => {
    let sent = 0
    const server = await raw((socket) => {
      socket.write(start)
      const more = () => {
        while (!socket.destroyed && sent < 100) {
          sent += 1
          if (!socket.write(megabyte)) return void socket.once('drain', more)
        }
      }
      more()
    })
    const before = process.memoryUsage().rss
    expect(await fate(await talk(server.url))).toMatchObject({ problem: 'too_large', told: 1 })
    expect(sent).toBeLessThan(40)
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024)
  })

  it('by a head without end is cut off', async () => {
    const server = await raw((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`))
    expect(await fate(await talk(server.url))).toMatchObject({ problem: 'too_large', told: 1 })
  })

  it('is heard up to 8 MiB, in both forms', async () => {
    const text = 'x'.repeat(8 * 1024 * 1024 - 200)
    let streamed = false
    const server = await upstream((seen, response) => {
      if (!streamed) return json(response, result(seen.message.id, { text }))
      stream(response)
      response.end(event(result(seen.message.id, { text })))
    })
    const { ask } = await talk(server.url)
    for (streamed of [false, true])
      expect(JSON.stringify(await ask('tools/call')).length).toBeGreaterThan(text.length)
  })

  it('may stream more than that in many messages', async () => {
    const note = event({
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { text: 'x'.repeat(1024 * 1024) },
    })
    const server = await upstream((seen, response) => {
      stream(response)
      for (let n = 0; n < 12; n++) response.write(note)
      response.end(event(result(seen.message.id)))
    })
    const talked = await talk(server.url)
    expect(await fate(talked)).toMatchObject({ result: {}, told: 0, messages: 13 })
  })
})

describe('an upstream that closes connections which are kept open', () => {
  /** Answers the first request of a connection, and meets the second one with what the test says. */
  async function closing(second: (socket: import('node:net').Socket) => void) {
    const came: string[] = []
    const answer = (text: string) => {
      const id = /"id":(\d+)/.exec(text)?.[1]
      const body = JSON.stringify(result(Number(id)))
      return `${head}content-length: ${body.length}\r\n\r\n${body}`
    }
    const server = createTcp((socket) => {
      let count = 0
      socket.on('error', () => {})
      socket.on('data', (data) => {
        const text = data.toString()
        came.push(/"method":"([^"]+)"/.exec(text)?.[1] ?? text)
        count += 1
        if (count === 1) socket.write(answer(text))
        else second(socket)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    return { url: `http://127.0.0.1:${port}/mcp`, came, close: () => server.close() }
  }

  it('is asked again where that does no harm', async () => {
    const own = makeAgents()
    const server = await closing((socket) => socket.resetAndDestroy())
    const { ask } = await talk(server.url, { agents: own })
    expect(await ask('ping')).toEqual(result(1))
    expect(await ask('tools/list')).toEqual(result(2))
    expect(server.came).toEqual(['ping', 'tools/list', 'tools/list'])
    own.close()
    server.close()
  })

  it('is never asked to carry out a call twice, since it may have done so', async () => {
    for (const end of ['resetAndDestroy', 'destroy', 'end'] as const) {
      const own = makeAgents()
      const server = await closing((socket) => socket[end]())
      const { ask, heard } = await talk(server.url, { agents: own })
      expect(await ask('ping')).toEqual(result(1))
      expect(await ask('tools/call')).toMatchObject({ problem: 'crashed' })
      expect(server.came).toEqual(['ping', 'tools/call'])
      expect(heard.failed).toHaveLength(1)
      own.close()
      server.close()
    }
  })

  it('is asked a second time at most, however many of them are kept', async () => {
    const own = makeAgents()
    const server = await closing((socket) => socket.resetAndDestroy())
    const { ask } = await talk(server.url, { agents: own })
    await Promise.all([1, 2, 3].map(() => ask('ping')))
    expect(await ask('tools/list')).toMatchObject({ problem: 'crashed' })
    expect(server.came).toEqual(['ping', 'ping', 'ping', 'tools/list', 'tools/list'])
    own.close()
    server.close()
  })

  it('is left before it does so, announced or not, and a call in the meantime is lost to nothing', async () => {
    const own = makeAgents({ idleMs: 200 })
    const server = await closing((socket) => socket.resetAndDestroy())
    const { ask } = await talk(server.url, { agents: own })
    for (let n = 0; n < 3; n++) {
      expect(await ask('tools/call')).toHaveProperty('result')
      await new Promise((done) => setTimeout(done, 350))
    }
    expect(server.came).toHaveLength(3)
    own.close()
    server.close()
  })
})

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-tls-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('R36: is required to be one this process trusts, for the name that was asked', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ].concat([
        '-subj',
        '/CN=good.example',
        '-addext',
        'subjectAltName=DNS:good.example',
        '-keyout',
        key,
        '-out',
        cert,
      ]),
      { stdio: 'ignore' },
    )
    const ca = readFileSync(cert, 'utf8')
    const names: unknown[] = []
    const server = createHttps({ key: readFileSync(key), cert: ca }, (request, response) => {
      names.push((request.socket as import('node:tls').TLSSocket).servername)
      request.resume()
      json(response, result(1))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const fence = makeFence({
      allowed: ['good.example', 'other.example'],
      resolve: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const trusting = makeAgents({ ca })
    const ask = async (host: string, own = trusting) =>
      fate(await talk(`https://${host}:${port}/mcp`, { fence, agents: own }))
    expect(await ask('good.example')).toMatchObject({ result: {} })
    expect(await ask('other.example')).toMatchObject({ problem: 'unreachable', told: 1 })
    expect(await ask('good.example', agents)).toMatchObject({ problem: 'unreachable', told: 1 })
    expect(names).toEqual(['good.example'])
    trusting.close()
    server.close()
  })
})
