import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../cli/bin.ts'
import { openServing, type Running } from '../http/serving.ts'
import { type Database, databases, type Place as Store } from '../support/databases.ts'
import { secretOn } from '../web/handed.ts'
import { type Place, speakOne, speakTwo, type Visitor } from './speakers.ts'

const clients = [
  { client: 'v1', speak: speakOne, ids: 2 },
  { client: 'v2, first era', speak: (place: Place, to?: Visitor) => speakTwo(place, 'legacy', to), ids: 2 },
  { client: 'v2, second era', speak: (place: Place, to?: Visitor) => speakTwo(place, 'auto', to), ids: 0 },
]

interface Product {
  place: Place
  adminKey: string
  /** What the process wrote to its log, where a test can read it. */
  log(): string
  close(): Promise<void>
}

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

async function overHttp(database: Database): Promise<Product> {
  const running: Running = await openServing(database)
  const { url, adminKey, log, close } = running
  return { place: { url: `${url}/mcp`, secret: adminKey }, adminKey, log: () => log.join(''), close }
}

async function overStdio(database: Database): Promise<Product & { env: Record<string, string> }> {
  const store: Store = await database.fresh()
  const env: Record<string, string> = { TOKENWRIGHT_DATA_DIR: store.dataDir, PATH: process.env['PATH'] ?? '' }
  if (store.location.startsWith('postgres')) env['TOKENWRIGHT_DATABASE_URL'] = store.location
  await bin.json(['list-groups'], { env })
  return {
    place: { command: process.execPath, args: [bin.main, 'stdio'], env },
    adminKey: readFileSync(join(store.dataDir, 'admin.key'), 'utf8').trim(),
    env,
    log: () => '',
    close: () => store.remove(),
  }
}

/** Sends the form of a page as its own page would. */
function submit(url: string, fields: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(url).origin },
    body: new URLSearchParams(fields),
  })
}

const roads = { http: overHttp, stdio: overStdio }
const matrix = databases.flatMap((database) =>
  (Object.keys(roads) as (keyof typeof roads)[]).map((road) => ({ database, road })),
)

describe.each(matrix)('secrets over $road on $database.name', ({ database, road }) => {
  let product: Product
  beforeAll(async () => {
    product = await roads[road](database)
  })
  afterAll(() => product.close())

  it.each(clients)(
    'R7: the person behind $client collects them on a page, and the whole conversation holds neither a secret nor a code',
    async ({ speak, ids }) => {
      const asked: Parameters<Visitor>[0][] = []
      const speaker = await speak(product.place, async (question) => {
        expect((await fetch(question.url)).status).toBe(404)
        asked.push(question)
        return 'accept'
      })
      await speaker.tools()
      const secrets: string[] = []
      const made = await speaker.call('create_token', { name: 'of a person' })
      const { token } = made.structuredContent as { token: { id: string } }
      const collect = async () => {
        const { url } = asked.at(-1) ?? { url: '' }
        const text = await (await submit(url, { key: product.adminKey })).text()
        secrets.push(secretOn({ text }) ?? '')
        expect((await submit(url, { key: product.adminKey })).status).toBe(410)
      }
      await collect()
      const rotated = await speaker.call('rotate_token', { token_id: token.id })
      await collect()
      await speaker.call('get_token', { token_id: token.id })
      await speaker.call('list_audit_events', { target_id: token.id })
      const all = `${speaker.transcript()}${product.log()}`
      await speaker.close()
      expect(asked).toHaveLength(2)
      expect(new Set(asked.map(({ url }) => url)).size).toBe(2)
      expect(asked.filter(({ elicitationId }) => elicitationId !== undefined)).toHaveLength(ids)
      for (const [at, { structuredContent }] of [made, rotated].entries())
        expect(structuredContent).toMatchObject({ delivery: { kind: 'link', url: asked[at]?.url } })
      expect(all).toContain('/hand-over/')
      expect(all).not.toMatch(/once_|\/reveal|mcpm_/)
      for (const secret of secrets) {
        expect(secret).toHaveLength(48)
        for (let at = 0; at + 16 <= secret.length; at++) expect(all).not.toContain(secret.slice(at, at + 16))
      }
    },
  )

  it.each(clients)(
    'a person behind $client who cannot be sent anywhere is served as before',
    async ({ speak }) => {
      const speaker = await speak(product.place)
      const { structuredContent } = await speaker.call('create_token', { name: 'by link' })
      await speaker.close()
      expect(structuredContent).toMatchObject({
        delivery: { kind: 'link', url: expect.stringContaining('/reveal#once_') },
      })
    },
  )
})

describe.each(databases)('a secret that was asked for over stdio, on $name', (database) => {
  let product: Awaited<ReturnType<typeof overStdio>>
  beforeAll(async () => {
    product = await overStdio(database)
  })
  afterAll(() => product.close())

  it('R7: the owner of the machine claims it in a terminal with the address of the page, once, also when the process is gone', async () => {
    let url = ''
    const speaker = await speakOne(product.place, async (question) => {
      url = question.url
      return 'accept'
    })
    await speaker.call('create_token', { name: 'of a terminal' })
    await speaker.close()
    const claimed = await bin.json<{ secret: string }>(['claim'], { input: `${url}\n`, env: product.env })
    expect(claimed.secret).toMatch(/^mcpt_\w{43}$/)
    const again = await bin.run(['claim'], { input: url, env: product.env })
    expect([again.code, again.stderr]).toEqual([6, expect.stringMatching(/was opened at/)])
  })

  it('R7: it waits for a key that manages tokens, and for no other', async () => {
    const { secret: reader } = await bin.json<{ secret: string }>(
      ['key', 'create', '--name', 'reads', '--role', 'reader'],
      { env: product.env },
    )
    const { secret: operator } = await bin.json<{ secret: string }>(
      ['key', 'create', '--name', 'operates', '--role', 'operator'],
      { env: product.env },
    )
    let url = ''
    const speaker = await speakTwo(product.place, 'auto', async (question) => {
      url = question.url
      return 'accept'
    })
    await speaker.call('create_token', { name: 'of a key' })
    expect(await (await fetch(url)).text()).toContain('of the machine Tokenwright runs on')
    expect((await submit(url, { key: reader })).status).toBe(403)
    expect(secretOn({ text: await (await submit(url, { key: operator })).text() })).toMatch(/^mcpt_/)
    await speaker.close()
  })
})
