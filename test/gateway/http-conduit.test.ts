import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { makeAgents } from '../../src/gateway/http/agents.ts'
import { hello, talk as openTalk, type TalkOptions } from './conversation.ts'
import { event, json, result, startUpstream, stream, type Upstream, usual } from './upstream.ts'

describe('a conversation over streamable HTTP', () => {
  const agents = makeAgents()
  const open: Upstream[] = []
  const upstream = async (...args: Parameters<typeof startUpstream>) => {
    const one = await startUpstream(...args)
    open.push(one)
    return one
  }
  const talk = (url: string, options: TalkOptions = {}) => openTalk(url, { agents, ...options })

  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })
  afterAll(() => agents.close())

  it('says the session and the version once they are agreed, and nothing that is not meant for the upstream', async () => {
    const server = await upstream(
      usual((seen, response) => json(response, result(seen.message.id, { tools: [] }))),
    )
    const { initialize, ask, conduit } = await talk(server.url, {
      headers: { 'X-Api-Key': 'k', Authorization: 'Bearer own' },
    })
    await initialize()
    await conduit.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect(await ask('tools/list')).toEqual(result(2, { tools: [] }))
    await conduit.close()
    const sent = server.seen.map(({ raw }) =>
      Object.fromEntries(
        raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1]]] : [])),
      ),
    )
    const host = `127.0.0.1:${server.port}`
    const always = {
      host,
      'accept-encoding': 'identity',
      'x-api-key': 'k',
      authorization: 'Bearer own',
      connection: 'keep-alive',
    }
    const post = (body: string | undefined) => ({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body ?? '')),
    })
    const agreed = { 'mcp-session-id': 'session-1', 'mcp-protocol-version': '2025-06-18' }
    expect(sent).toEqual([
      { ...always, ...post(server.seen[0]?.body) },
      { ...always, ...post(server.seen[1]?.body), ...agreed },
      { ...always, ...post(server.seen[2]?.body), ...agreed },
      { ...always, ...agreed },
    ])
    expect(server.seen.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'DELETE'])
  })

  it('passes messages on as they are, both ways', async () => {
    const value = {
      text: 'grüße 🦊 \u2028',
      nested: { __proto: [1, 2.5, null, { a: '' }] },
      big: 9007199254740991,
    }
    const server = await upstream(
      usual((seen, response) => json(response, result(seen.message.id, { got: seen.message }))),
    )
    const { initialize, ask } = await talk(server.url)
    await initialize()
    const sent = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: value }
    expect(await ask('tools/call', value)).toEqual(result(2, { got: sent }))
    expect(server.seen.at(-1)?.body).toBe(JSON.stringify(sent))
  })

  it('lets no stored header take the place of one of the protocol or the connection', async () => {
    const server = await upstream(usual((seen, response) => json(response, result(seen.message.id))))
    const names =
      'Accept ACCEPT-ENCODING Content-Type Content-Length Content-Encoding Host Connection Transfer-Encoding Upgrade TE Trailer Keep-Alive Expect Mcp-Session-Id MCP-Protocol-Version Last-Event-ID Proxy-Authorization'
    const headers = Object.fromEntries(names.split(' ').map((name) => [name, 'evil']))
    const { initialize, ask } = await talk(server.url, { headers: { ...headers, 'x-mine': 'kept' } })
    await initialize()
    expect(await ask('tools/list')).toEqual(result(2))
    for (const { raw } of server.seen) {
      expect(raw.join('\n')).not.toContain('evil')
      expect(raw).toContain('kept')
      const received = raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
      expect(new Set(received).size).toBe(received.length)
    }
  })

  it('tells by which request a message came', async () => {
    const server = await upstream(
      usual((seen, response) => {
        if (seen.method === 'GET') return response.writeHead(405).end()
        stream(response)
        const { id } = seen.message
        response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: id } }))
        response.write(
          event({ jsonrpc: '2.0', id: `of ${id}`, method: 'sampling/createMessage', params: {} }),
        )
        response.end(event(result(id)))
      }),
    )
    const { initialize, ask, heard, conduit } = await talk(server.url)
    await initialize()
    await Promise.all([ask('tools/call'), ask('tools/call')])
    expect(
      heard.messages
        .slice(1)
        .map(({ within }) => within)
        .sort(),
    ).toEqual([2, 2, 2, 3, 3, 3])
    for (const { message, within } of heard.messages) {
      if ('method' in message && 'id' in message) expect(message.id).toBe(`of ${within}`)
      if (!('method' in message)) expect(message.id).toBe(within)
    }
    await conduit.send({ jsonrpc: '2.0', id: 'of 2', result: {} })
    expect(server.seen.at(-1)?.message).toEqual({ jsonrpc: '2.0', id: 'of 2', result: {} })
  })

  it('hears each event when it comes, not when the stream ends', async () => {
    let finish = () => {}
    const server = await upstream(
      usual((seen, response) => {
        stream(response)
        response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params: {} }))
        finish = () => void response.end(event(result(seen.message.id)))
      }),
    )
    const { initialize, ask, until, heard } = await talk(server.url)
    await initialize()
    const answer = ask('tools/call')
    await until(({ messages }) => messages.length === 2)
    expect(heard.messages[1]?.message).toMatchObject({ method: 'notifications/progress' })
    finish()
    expect(await answer).toEqual(result(2))
  })

  it('hears all messages of an array', async () => {
    const note = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } }
    const server = await upstream(usual((seen, response) => json(response, [note, result(seen.message.id)])))
    const { initialize, ask, heard } = await talk(server.url)
    await initialize()
    expect(await ask('tools/list')).toEqual(result(2))
    expect(heard.messages.slice(1).map(({ message }) => message)).toEqual([note, result(2)])
  })

  it('takes content types with parameters and in any case', async () => {
    let type = ''
    const server = await upstream((seen, response) => {
      const body = type.toLowerCase().startsWith('text')
        ? event(result(seen.message.id))
        : JSON.stringify(result(seen.message.id))
      response.writeHead(200, { 'content-type': type }).end(body)
    })
    const { ask } = await talk(server.url)
    for (type of [
      'application/json; charset=utf-8',
      'Application/JSON',
      'text/event-stream;charset=UTF-8',
      'TEXT/Event-Stream',
    ])
      expect(await ask('ping')).toHaveProperty('result')
  })

  it('keeps 50 calls at once apart', async () => {
    const server = await upstream(
      usual((seen, response) => {
        const { id, params } = seen.message
        setTimeout(() => {
          if (id % 2 === 0) return json(response, result(id, { n: params.n }))
          stream(response)
          response.end(event(result(id, { n: params.n })))
        }, Math.random() * 30)
      }),
    )
    const { initialize, ask } = await talk(server.url)
    await initialize()
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) => ask('tools/call', { n })))
    expect(all).toEqual(all.map((_, n) => result(n + 2, { n })))
  })

  it('lets go of one request without a word, and of its connection', async () => {
    let gone = 0
    const server = await upstream(
      usual((seen, response) => {
        if (seen.message.method === 'ping') return json(response, result(seen.message.id))
        response.on('close', () => {
          gone += 1
        })
        stream(response)
        response.write(': here\n\n')
      }),
    )
    const { initialize, ask, heard, conduit } = await talk(server.url)
    await initialize()
    await conduit.send({ jsonrpc: '2.0', id: 'x', method: 'tools/call', params: {} })
    await expect.poll(() => server.seen.length).toBe(2)
    conduit.abort('x')
    conduit.abort('unknown')
    await expect.poll(() => gone).toBe(1)
    expect(await ask('ping')).toEqual(result(2))
    expect(heard.failed).toEqual([])
  })

  it('ends the stream of a call that is cancelled, which the server may leave open', async () => {
    let gone = 0
    const server = await upstream(
      usual((_seen, response) => {
        response.on('close', () => {
          gone += 1
        })
        stream(response)
        response.write(': here\n\n')
      }),
    )
    const { initialize, heard, conduit } = await talk(server.url)
    await initialize()
    await conduit.send({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: {} })
    await conduit.send({ jsonrpc: '2.0', id: 8, method: 'tools/call', params: {} })
    await expect.poll(() => server.seen.length).toBe(3)
    await conduit.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } })
    await expect.poll(() => gone).toBe(1)
    expect(server.seen.at(-1)?.message.params).toEqual({ requestId: 7 })
    await new Promise((done) => setTimeout(done, 50))
    expect(gone).toBe(1)
    expect(heard.failed).toEqual([])
    await conduit.close()
  })

  it('ends everything when it is closed, and says nothing more', async () => {
    let gone = 0
    const server = await upstream(
      usual((_seen, response) => {
        response.on('close', () => {
          gone += 1
        })
        stream(response)
        response.write(': here\n\n')
      }),
    )
    const { initialize, heard, conduit } = await talk(server.url)
    await initialize()
    conduit.listen()
    await conduit.send({ jsonrpc: '2.0', id: 'x', method: 'tools/call', params: {} })
    await expect.poll(() => server.seen.length).toBe(3)
    await conduit.close()
    await conduit.close()
    await expect.poll(() => gone).toBe(2)
    expect(server.seen.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': 'session-1' } })
    expect(heard).toMatchObject({ failed: [], closed: [] })
    await expect(conduit.send({ jsonrpc: '2.0', method: 'notifications/x' })).rejects.toMatchObject({
      problem: 'session_ended',
    })
  })

  it('is closed within its time by an upstream that does not answer, and without a session at once', async () => {
    const server = await upstream((seen, response, request) => {
      if (seen.method !== 'DELETE') return usual(() => {})(seen, response, request)
    })
    const { initialize, conduit } = await talk(server.url)
    await initialize()
    const at = Date.now()
    await conduit.close()
    expect(Date.now() - at).toBeGreaterThan(1_900)
    expect(Date.now() - at).toBeLessThan(6_000)
    const other = await upstream(usual(() => {}, null))
    const second = await talk(other.url)
    await second.initialize()
    await second.conduit.close()
    expect(other.seen.map(({ method }) => method)).toEqual(['POST'])
  })

  describe('the stream of what belongs to no request', () => {
    it('brings messages, and goes on where it broke off', async () => {
      const gets: (string | undefined)[] = []
      const note = (n: number) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { n } })
      const server = await upstream(
        usual((seen, response) => {
          gets.push(seen.headers['last-event-id'] as string | undefined)
          stream(response)
          response.write(event(note(gets.length), `e${gets.length}`))
          if (gets.length === 1) setTimeout(() => response.destroy(), 20)
        }),
      )
      const { initialize, conduit, until, heard } = await talk(server.url)
      await initialize()
      conduit.listen()
      conduit.listen()
      await until(({ messages }) => messages.length === 3)
      expect(heard.messages.slice(1)).toEqual([
        { message: note(1), within: undefined },
        { message: note(2), within: undefined },
      ])
      expect(gets).toEqual([undefined, 'e1'])
      await conduit.close()
    })

    it('is left alone where it is refused, which ends nothing', async () => {
      const leftAlone = async (status: number) => {
        const server = await upstream(usual((_seen, response) => response.writeHead(status).end()))
        const { initialize, conduit, heard } = await talk(server.url)
        await initialize()
        conduit.listen()
        await new Promise((done) => setTimeout(done, 1_300))
        expect(server.seen.filter(({ method }) => method === 'GET')).toHaveLength(1)
        expect(heard).toMatchObject({ failed: [], closed: [] })
      }
      await Promise.all([405, 404, 400, 401, 302].map(leftAlone))
    })

    it('is asked for again while the upstream says that it is not ready', async () => {
      let gets = 0
      const server = await upstream(
        usual((_seen, response) => {
          gets += 1
          if (gets === 1) return response.writeHead(503).end()
          stream(response)
          response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: {} }))
        }),
      )
      const { initialize, conduit, until } = await talk(server.url)
      await initialize()
      conduit.listen()
      await until(({ messages }) => messages.length === 2)
      await conduit.close()
    })

    it('may be silent longer than a call', async () => {
      const server = await upstream(
        usual((_seen, response) => {
          stream(response)
          setTimeout(
            () => response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: {} })),
            900,
          )
        }),
      )
      const { initialize, conduit, until } = await talk(server.url, { timeoutMs: 300 })
      await initialize()
      conduit.listen()
      await until(({ messages }) => messages.length === 2)
      expect(server.seen.filter(({ method }) => method === 'GET')).toHaveLength(1)
      await conduit.close()
    })
  })

  describe('an answer that is cut off behind an event with an id', () => {
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: {} }

    it('is fetched from there, as often as more of it comes', async () => {
      const from: unknown[] = []
      let asked: unknown
      const server = await upstream(
        usual((seen, response) => {
          stream(response)
          if (seen.method === 'POST') {
            asked = seen.message.id
            response.write(`retry: 10\n${event(progress, 'a1')}id: a2\nda`)
            return void setTimeout(() => response.destroy(), 20)
          }
          from.push(seen.headers['last-event-id'])
          if (from.length < 4) return response.end(`retry: 10\n${event(progress, `b${from.length}`)}`)
          response.end(event(result(asked)))
        }),
      )
      const { initialize, ask, heard } = await talk(server.url)
      await initialize()
      expect(await ask('tools/call')).toEqual(result(2))
      expect(from).toEqual(['a1', 'b1', 'b2', 'b3'])
      expect(heard.messages.slice(1).map(({ within }) => within)).toEqual([2, 2, 2, 2, 2])
      expect(server.seen.filter(({ method }) => method === 'POST')).toHaveLength(2)
    })

    it('fails when no more of it comes, after two tries', async () => {
      const server = await upstream(
        usual((seen, response) => {
          stream(response)
          response.end(seen.method === 'POST' ? `retry: 10\n${event(progress, 'a1')}` : ': nothing\n\n')
        }),
      )
      const { initialize, ask, heard } = await talk(server.url)
      await initialize()
      expect(await ask('tools/call')).toMatchObject({ problem: 'crashed' })
      expect(server.seen.filter(({ method }) => method === 'GET')).toHaveLength(2)
      expect(heard.failed).toHaveLength(1)
    })

    it('fails where the upstream does not offer the rest', async () => {
      const server = await upstream(
        usual((seen, response) => {
          if (seen.method === 'GET') return response.writeHead(405).end()
          stream(response)
          response.write(`retry: 10\n${event(progress, 'a1')}`)
          setTimeout(() => response.destroy(), 20)
        }),
      )
      const { initialize, ask, heard } = await talk(server.url)
      await initialize()
      expect(await ask('tools/call')).toMatchObject({ problem: 'crashed' })
      expect(heard.failed).toHaveLength(1)
    })
  })

  it('initialises with what the client offers', async () => {
    const server = await upstream(usual(() => {}))
    const { initialize } = await talk(server.url)
    expect(await initialize()).toHaveProperty('result.protocolVersion', '2025-06-18')
    expect(server.seen[0]?.message.params).toEqual(hello)
  })
})
