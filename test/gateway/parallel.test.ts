import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Everything, startEverything } from './everything.ts'
import { fixture } from './program.ts'
import { oneATurn, openProving, type Proving } from './proving.ts'

/** How one session speaks to its server. */
interface Manner {
  slug: string
  /** Tools that echo, tell progress and ask the client; null = its client cannot be asked. */
  echo: [tool: string, member: string]
  progress: [tool: string, args: (steps: number) => object]
  ask: [tool: string, member: string] | null
}

describe('a hundred sessions in parallel', () => {
  let proving: Proving
  let everything: Everything
  let manners: Record<'http' | 'shared' | 'alone', Manner>
  let secrets: string[]

  beforeAll(async () => {
    everything = await startEverything('streamableHttp')
    proving = await openProving()
    const http = await proving.add('by address', { url: everything.url })
    const program = await proving.add('by program', fixture)
    const ids = [http.id, program.id]
    secrets = await Promise.all([1, 2, 3, 4, 5].map(() => proving.secret(ids)))
    const programs: Manner = {
      slug: program.slug,
      echo: ['echo', 'text'],
      progress: ['progress', (steps) => ({ steps })],
      ask: null,
    }
    manners = {
      http: {
        slug: http.slug,
        echo: ['echo', 'message'],
        progress: ['trigger-long-running-operation', (steps) => ({ duration: 0.2, steps })],
        ask: ['trigger-sampling-request', 'prompt'],
      },
      shared: programs,
      alone: { ...programs, ask: ['ask', 'prompt'] },
    }
  })
  afterAll(async () => {
    await proving.close()
    await everything.stop()
  })

  /** One session's life; answers whatever it saw that was not its own. */
  async function live(at: number, kind: keyof typeof manners): Promise<string[]> {
    const { slug, echo, progress, ask } = manners[kind]
    const whole = at % 2 === 1
    const mark = `mark-${at}-`
    const foreign: string[] = []
    const prefix = whole ? `${slug}__` : ''
    const client = new Client(
      { name: `client ${at}`, version: '1' },
      { capabilities: ask === null ? {} : { sampling: {} } },
    )
    const own = (what: string, seen: unknown) => {
      const marks = JSON.stringify(seen).match(/mark-\d+-/g) ?? []
      if (marks.some((one) => one !== mark)) foreign.push(`${at} got ${what} ${JSON.stringify(seen)}`)
      return marks.length
    }
    const heard: unknown[] = []
    client.fallbackNotificationHandler = async (message) => {
      own('a notification', message)
      if (message.method === 'notifications/message') heard.push(message)
    }
    let asked = 0
    if (ask !== null)
      client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
        asked += 1
        if (own('a question', params) === 0) foreign.push(`${at} was asked ${JSON.stringify(params)}`)
        return { role: 'assistant', model: 'none', content: { type: 'text', text: `${mark} ${asked}` } }
      })
    const way = proving.way(whole ? null : slug, secrets[at % 5] ?? '')
    await client.connect(way)
    oneATurn(way)
    const call = async (name: string, args: object, steps?: (step: number) => void) => {
      const options =
        steps === undefined ? {} : { onprogress: (one: { progress: number }) => steps(one.progress) }
      return client.callTool({ name: `${prefix}${name}`, arguments: { ...args } }, undefined, options)
    }
    for (let turn = 1; turn <= 3; turn += 1) {
      const steps: number[] = []
      const wanted = 2 + ((at + turn) % 4)
      const [echoed, , answered] = await Promise.all([
        call(echo[0], { [echo[1]]: `${mark} ${turn}` }),
        call(progress[0], progress[1](wanted), (step) => steps.push(step)),
        ask === null ? undefined : call(ask[0], { [ask[1]]: mark }),
      ])
      expect(own('an answer', echoed.content)).toBe(1)
      expect(JSON.stringify(echoed.content)).toContain(`${mark} ${turn}`)
      expect(steps).toEqual(Array.from({ length: wanted }, (_, step) => step + 1))
      if (answered !== undefined) expect(own('an answer', answered.content)).toBeGreaterThan(0)
    }
    if (ask !== null) expect(asked).toBe(3)
    if (kind === 'http') {
      const uri = `${whole ? `mcp+${slug}+` : ''}demo://resource/dynamic/text/${mark}`
      await client.subscribeResource({ uri })
      await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(0)
    }
    await (way as { terminateSession?(): Promise<void> }).terminateSession?.()
    await client.close()
    return foreign
  }

  it('R17: of both endpoints, over HTTP and with programs, never hear what is another’s', {
    timeout: 60_000,
  }, async () => {
    const kindOf = (at: number) => (at < 60 ? 'http' : at < 92 ? 'shared' : 'alone')
    const foreign = await Promise.all(Array.from({ length: 100 }, (_, at) => live(at, kindOf(at))))
    expect(foreign.flat()).toEqual([])
  })
})
