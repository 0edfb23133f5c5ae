import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Opened, openSubject } from '../../conformance/fixture/serve.ts'
import { type Bin, openBin } from '../cli/bin.ts'
import { type McpServer, startMcp } from './server.ts'
import { type Place, type Speaker, speakOne, speakTwo } from './speakers.ts'

const clients = [
  { client: 'v1', speak: speakOne, revision: '2025-11-25' },
  { client: 'v2, first era', speak: (place: Place) => speakTwo(place, 'legacy'), revision: '2025-11-25' },
  { client: 'v2, second era', speak: (place: Place) => speakTwo(place, 'auto'), revision: '2026-07-28' },
]
const roads = ['http', 'stdio'] as const
const matrix = clients.flatMap((row) => roads.map((road) => ({ ...row, road })))

const watched = 'test://watched-resource'

let bin: Bin
let product: McpServer
let fixture: Opened
beforeAll(async () => {
  ;[bin, product, fixture] = await Promise.all([openBin(), startMcp(), openSubject('fixture')])
})
afterAll(async () => {
  await product.close()
  await fixture.close()
  bin.remove()
})

async function productAt(road: (typeof roads)[number]): Promise<Place> {
  if (road === 'http') return { url: product.url, secret: await product.key('operator') }
  const env = { TOKENWRIGHT_DATA_DIR: bin.dataDir, PATH: process.env['PATH'] ?? '' }
  return { command: process.execPath, args: [bin.main, 'stdio'], env }
}

function fixtureAt(road: (typeof roads)[number]): Place {
  if (road === 'http') return { url: fixture.own, secret: fixture.credential }
  const program = fileURLToPath(new URL('../../conformance/fixture/stdio.ts', import.meta.url))
  const args = ['--import', import.meta.resolve('tsx'), program]
  return { command: process.execPath, args, env: { PATH: process.env['PATH'] ?? '' } }
}

describe.each(matrix)('the official client $client over $road', ({ client, speak, road, revision }) => {
  describe('with the real tools', () => {
    let speaker: Speaker
    beforeAll(async () => {
      speaker = await speak(await productAt(road))
    })
    afterAll(() => speaker.close())

    it('agrees on the revision of its era and lists the tools', async () => {
      expect(speaker.revision).toBe(revision)
      expect(await speaker.tools()).toHaveLength(15)
    })

    it('finds every structured answer conforming to the schema that was listed', async () => {
      await speaker.tools()
      const made = await speaker.call('create_token', { name: `by ${revision} over ${road}` })
      const { token } = made.structuredContent as { token: { id: string } }
      for (const [name, args] of [
        ['get_token', { token_id: token.id }],
        ['list_magic_tokens', {}],
        ['list_groups', {}],
        ['list_audit_events', { limit: 5 }],
      ] as const) {
        const { isError, structuredContent, content } = await speaker.call(name, args)
        expect(isError, name).toBeFalsy()
        expect(JSON.parse(content[0]?.text ?? ''), name).toEqual(structuredContent)
      }
    })

    it('destroys something once the person behind it agreed', async () => {
      const made = await speaker.call('create_token', { name: 'to be revoked' })
      const { token } = made.structuredContent as { token: { id: string } }
      const revoked = await speaker.call('revoke_token', { token_id: token.id })
      expect(revoked.structuredContent).toMatchObject({ token: { id: token.id, status: 'revoked' } })
      const { structuredContent } = await speaker.call('list_audit_events', { limit: 1 })
      const { events } = structuredContent as { events: object[] }
      expect(events[0]).toMatchObject({ action: 'revoke_token', details: { confirmed_by: 'person' } })
    })

    it('reads refusals as results and unknown tools as errors of the protocol', async () => {
      const refused = await speaker.call('get_token', { token_id: 'tok_0000000000000000000000000' })
      expect(refused).toMatchObject({ isError: true, _meta: { 'tokenwright/code': expect.any(String) } })
      await expect(speaker.call('no_such_tool')).rejects.toMatchObject({ code: -32602 })
    })

    it('reads resources and prompts, and is told of a change to what it follows', async () => {
      const made = await speaker.call('create_token', { name: 'followed', expires_in_days: 2 })
      const { id } = (made.structuredContent as { token: { id: string } }).token
      const uri = `token://${id}`
      expect(await speaker.read(uri)).toContain('"name":"followed"')
      expect(await speaker.prompt('rotate_due')).toContain(uri)
      // The second client makes one number of both.
      const code = client === 'v1' ? -32002 : -32602
      const unknown = speaker.read(`token://mgtk_${'0'.repeat(22)}`)
      await expect(unknown).rejects.toMatchObject({ code, data: { uri: `token://mgtk_${'0'.repeat(22)}` } })
      const told: string[] = []
      const stop = await speaker.watch(uri, (one) => told.push(one))
      await speaker.call('update_token', { token_id: id, name: 'renamed' })
      await vi.waitFor(() => expect(told).toEqual([uri]), { timeout: 5_000 })
      await stop()
    })

    it('is named in the audit trail as it names itself', async () => {
      await speaker.call('create_group', { name: `of ${revision} ${road} ${Math.random()}` })
      const { structuredContent } = await speaker.call('list_audit_events', { limit: 1 })
      const { events } = structuredContent as { events: object[] }
      expect(events[0]).toMatchObject({ client: { name: 'speaker', version: '7' } })
    })
  })

  describe('with everything a server may do', () => {
    let speaker: Speaker
    beforeAll(async () => {
      speaker = await speak(fixtureAt(road))
    })
    afterAll(() => speaker.close())

    const textOf = async (name: string, args?: object) => (await speaker.call(name, args)).content[0]?.text

    it('answers a question in the middle of a call, and the call goes on with the answer', async () => {
      expect(await textOf('test_input_required_result_elicitation')).toBe('Hello, Ada!')
    })

    it('answers a person’s, a model’s and its own question of one call together', async () => {
      const all = await textOf('test_input_required_result_multiple_inputs')
      for (const part of ['Ada', 'Paris', 'file:///home/ada']) expect(all).toContain(part)
    })

    it('answers two questions one after the other', async () => {
      expect(await textOf('test_input_required_result_multi_round')).toMatch(/step1.*Ada.*step2/)
    })

    it('answers the question of a prompt', async () => {
      expect(await speaker.prompt('test_input_required_result_prompt')).toContain('ada@example.test')
    })

    it('hears of progress before the answer', async () => {
      // The clients drop progress that they read together with the answer, so a stalled test may miss some.
      await vi.waitFor(async () => {
        const heard: number[] = []
        const onprogress = ({ progress }: { progress: number }) => heard.push(progress)
        await speaker.call('test_tool_with_progress', {}, { onprogress })
        expect(heard).toEqual([0, 50, 100])
      }, 10_000)
    })

    it('gives up a call, and the server stops it', async () => {
      const before = Number(await textOf('test_given_up'))
      const abort = new AbortController()
      const waiting = speaker.call('test_wait', {}, { signal: abort.signal })
      setTimeout(() => abort.abort('no longer wanted'), 200)
      await expect(waiting).rejects.toThrow(/no longer wanted/)
      await vi.waitFor(async () => expect(Number(await textOf('test_given_up'))).toBe(before + 1), 5_000)
    })

    it('reads resources, and an unknown one is an error of the protocol', async () => {
      expect(await speaker.read('test://static-text')).toContain('static text resource')
      await expect(speaker.read('test://nothing')).rejects.toMatchObject({ code: -32602 })
    })

    it('is told of changes to what it watches until it stops', async () => {
      const told: string[] = []
      const stop = await speaker.watch(watched, (uri) => told.push(uri))
      let changes = 0
      const change = async () => {
        changes++
        await speaker.call('test_trigger_resource_change')
      }
      // A stream opens in its own time, and what happened before it did is told to nobody.
      await vi.waitFor(async () => {
        await change()
        expect(told).toContain(watched)
      }, 5_000)
      await stop()
      const most = changes
      while (changes <= 2 * most) await change()
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(told.length).toBeLessThanOrEqual(most)
    })
  })
})
