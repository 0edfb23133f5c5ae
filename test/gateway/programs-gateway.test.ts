import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type ClientCapabilities, CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { databases } from '../support/databases.ts'
import { fixture, isAlive, soon } from './program.ts'

const servers = ['one', 'two', 'broken', 'silent', 'missing'] as const

describe.each(databases)('programs behind the gateway on $name', (database) => {
  let serving: Running
  let secret: string
  let configId: string
  const slugs = {} as Record<(typeof servers)[number], string>
  const ids = {} as typeof slugs
  const clients: { client: Client; transport: StreamableHTTPClientTransport }[] = []

  const made = async (operation: string, input: object) => {
    const { status, text, json } = await serving.call(operation, input)
    expect(status, text).toBeLessThan(300)
    return json
  }

  beforeAll(async () => {
    process.env['TOKENWRIGHT_NEVER_PASSED_ON'] = 'never'
    serving = await openServing(database, {
      allowCommands: true,
      upstreamTimeout: 4_000,
      upstreamIdle: 1_000,
    })
    configId = (await made('create_config', { name: 'programs' })).config.id
    const runs: Record<(typeof servers)[number], object> = {
      one: { ...fixture, env: { OF_ENTRY: 'value of the entry' } },
      two: fixture,
      broken: { command: process.execPath, args: ['-e', 'setInterval(() => console.log("garbage"), 1)'] },
      silent: { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] },
      missing: { command: 'tokenwright-no-such-program' },
    }
    for (const name of servers) {
      const added = await made('add_config_server', { config_id: configId, name, runs: runs[name] })
      slugs[name] = added.server.slug
      ids[name] = added.server.id
    }
    const access = { all_servers: true }
    const { delivery } = await made('create_token', { name: 'guest', access, delivery: 'inline' })
    secret = delivery.secret
  })

  afterEach(async () => {
    for (const { client, transport } of clients.splice(0)) {
      await transport.terminateSession().catch(() => undefined)
      await client.close()
    }
  })
  afterAll(async () => {
    delete process.env['TOKENWRIGHT_NEVER_PASSED_ON']
    await serving?.close()
  })

  async function connect(server: (typeof servers)[number] | null, capabilities: ClientCapabilities = {}) {
    const client = new Client({ name: 'test', version: '1' }, { capabilities })
    const path = server === null ? '/gateway/mcp' : `/servers/${slugs[server]}/mcp`
    const transport = new StreamableHTTPClientTransport(new URL(`${serving.url}${path}`), {
      requestInit: { headers: { authorization: `Bearer ${secret}` } },
    })
    await client.connect(transport)
    clients.push({ client, transport })
    return client
  }

  const call = async (client: Client, name: string, args: object = {}): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: { ...args } })
    return (content as { text: string }[])[0]!.text
  }
  /** What a call is refused with. */
  const refusal = (client: Client, name: string, args: object = {}) =>
    call(client, name, args).then(
      (text) => ({ answered: text }),
      ({ code, data }) => ({ code, data }),
    )
  const down = (server: (typeof servers)[number], reason: string) => ({
    code: -32020,
    data: { server: slugs[server], reason },
  })

  it('two clients share one process, and each hears its own answers', async () => {
    const [first, second] = [await connect('one'), await connect('one')]
    expect(await call(first, 'pid')).toBe(await call(second, 'pid'))
    const numbers = [...Array(50).keys()]
    const said = await Promise.all(
      numbers.map((n) => call(n % 2 === 0 ? first : second, 'echo', { text: `said ${n}` })),
    )
    expect(said).toEqual(numbers.map((n) => `said ${n}`))
    const steps: Record<string, number[]> = { first: [], second: [] }
    await Promise.all(
      Object.entries({ first, second }).map(([name, client]) =>
        client.callTool({ name: 'progress', arguments: { steps: name.length } }, undefined, {
          onprogress: ({ progress }) => void steps[name]!.push(progress),
        }),
      ),
    )
    expect(steps).toEqual({ first: [1, 2, 3, 4, 5], second: [1, 2, 3, 4, 5, 6] })
  })

  it('a client that can be asked has a process of its own, and what the server asks reaches exactly it', async () => {
    const asked: string[] = []
    const able = async (name: string) => {
      const client = await connect('one', { sampling: {} })
      client.setRequestHandler(CreateMessageRequestSchema, () => {
        asked.push(name)
        return { model: 'none', role: 'assistant', content: { type: 'text', text: `from ${name}` } }
      })
      return client
    }
    const [anna, bert] = [await able('anna'), await able('bert')]
    const answers = await Promise.all([anna, bert, bert, anna].map((client) => call(client, 'ask')))
    expect(answers.map((text) => JSON.parse(text).text)).toEqual([
      'from anna',
      'from bert',
      'from bert',
      'from anna',
    ])
    expect(asked.sort()).toEqual(['anna', 'anna', 'bert', 'bert'])
    const shy = await connect('one')
    expect(await refusal(shy, 'ask')).toMatchObject({ code: -32601 })
    const others = [await connect('one', { roots: {} }), await connect('one', { elicitation: {} })]
    const pids = await Promise.all([anna, bert, shy, ...others].map((client) => call(client, 'pid')))
    expect(new Set(pids).size).toBe(5)
  })

  it('the process of a client alone ends with its session', async () => {
    const client = await connect('one', { sampling: {} })
    const pid = Number(await call(client, 'pid'))
    await clients.at(-1)!.transport.terminateSession()
    await soon(() => !isAlive(pid))
  })

  it('R34: a program gets the variables of its entry, and of ours only harmless ones', async () => {
    expect(process.env).toHaveProperty('VITEST')
    const env = JSON.parse(await call(await connect('one', { sampling: {} }), 'env'))
    expect(env).toMatchObject({ OF_ENTRY: 'value of the entry', PATH: process.env['PATH'] })
    const foreign = /^(TOKENWRIGHT_|NODE_|LD_|DYLD_|PYTHON|VITEST)/
    expect(Object.keys(env).filter((name) => foreign.test(name))).toEqual([])
  })

  it('a crash answers the call with an error, and the next one works after the wait; other servers notice nothing', async () => {
    const bystander = await connect('two')
    const slow = call(bystander, 'sleep', { ms: 1_500 })
    const client = await connect(null)
    const before = await call(client, `${slugs.one}__pid`)
    expect(await refusal(client, `${slugs.one}__crash`)).toEqual(down('one', 'crashed'))
    const began = performance.now()
    expect(await refusal(client, `${slugs.one}__echo`, { text: 'x' })).toEqual(down('one', 'crashed'))
    expect(performance.now() - began).toBeLessThan(450)
    await sleep(600)
    expect(await call(client, `${slugs.one}__echo`, { text: 'again' })).toBe('again')
    expect(await call(client, `${slugs.one}__pid`)).not.toBe(before)
    expect(await slow).toBe('slept')
    expect(await call(bystander, 'echo', { text: 'still here' })).toBe('still here')
  })

  it('a crash ends the session at that server, as the client is told, and a new one works', async () => {
    const client = await connect('two', { sampling: {} })
    expect(await refusal(client, 'crash', { signal: 'SIGKILL' })).toEqual(down('two', 'crashed'))
    await expect(call(client, 'echo')).rejects.toMatchObject({ code: 404 })
    await sleep(600)
    expect(await call(await connect('two'), 'echo', { text: 'new' })).toBe('new')
  })

  it('garbage, silence and a missing program are errors of their server in bounded time, and of no other', async () => {
    const client = await connect('two')
    const began = performance.now()
    const outcomes = await Promise.all(
      (['broken', 'silent', 'missing'] as const).map((server) =>
        connect(server).then(
          () => 'connected',
          ({ code, data }) => ({ code, data }),
        ),
      ),
    )
    expect(outcomes).toEqual([
      down('broken', 'garbage'),
      down('silent', 'timeout'),
      down('missing', 'crashed'),
    ])
    expect(performance.now() - began).toBeLessThan(8_000)
    const flood = await connect('one', { sampling: {} })
    expect(await refusal(flood, 'flood')).toEqual(down('one', 'too_large'))
    expect(await call(client, 'echo', { text: 'fine' })).toBe('fine')
  })

  it('a program nobody uses is stopped, and started again when it is needed', async () => {
    const client = await connect('two')
    const pid = Number(await call(client, 'pid'))
    await sleep(1_500)
    expect(isAlive(pid)).toBe(true)
    await clients.at(-1)!.transport.terminateSession()
    const took = await soon(() => !isAlive(pid), 6_000)
    expect(took).toBeGreaterThan(500)
    expect(Number(await call(await connect('two'), 'pid'))).not.toBe(pid)
  })

  it('a program is another process as soon as its entry says something else', async () => {
    const client = await connect(null)
    const pid = Number(await call(client, `${slugs.one}__pid`))
    await made('update_config_server', {
      config_id: configId,
      server_id: ids.one,
      runs: { env: { OF_ENTRY: 'another value' } },
    })
    expect(JSON.parse(await call(client, `${slugs.one}__env`))).toMatchObject({ OF_ENTRY: 'another value' })
    await soon(() => !isAlive(pid))
  })

  it('R53: what programs say on standard error is in the log, without the values of their entries', async () => {
    const client = await connect('one', { sampling: {} })
    const { OF_ENTRY } = JSON.parse(await call(client, 'env'))
    await call(client, 'log', { line: `it is ${OF_ENTRY} and ${secret}` })
    await soon(() => serving.log.some((line) => line.includes('it is ***')))
    const all = serving.log.join('')
    expect(all).not.toContain(OF_ENTRY)
    expect(all).not.toContain(secret)
    const started = serving.log.filter((line) => line.includes('a program was started'))
    expect(JSON.parse(started[0]!)).toMatchObject({ level: 'info', server: slugs.one })
  })
})
