import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../cli/bin.ts'
import { type McpServer, startMcp } from './server.ts'
import { type Filler, type Place, type Result, type Speaker, speakOne, speakTwo } from './speakers.ts'

type By = Filler | 'nobody'

const clients = [
  { client: 'v1', speak: (place: Place, by: By) => speakOne(place, undefined, by) },
  { client: 'v2, first era', speak: (place: Place, by: By) => speakTwo(place, 'legacy', undefined, by) },
  { client: 'v2, second era', speak: (place: Place, by: By) => speakTwo(place, 'auto', undefined, by) },
]
const roads = ['http', 'stdio'] as const
const matrix = clients.flatMap((row) => roads.map((road) => ({ ...row, road })))

let bin: Bin
let product: McpServer
beforeAll(async () => {
  ;[bin, product] = await Promise.all([openBin(), startMcp({ toolsets: ['bulk'] })])
})
afterAll(async () => {
  await product.close()
  bin.remove()
})

interface Preview {
  summary: string
  tokens_hit: { count: number; tokens: { id: string }[] }
  confirm: string
}

describe.each(matrix)(
  'what destroys, asked for by the official client $client over $road',
  ({ speak, road }) => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
    const open: Speaker[] = []
    afterAll(async () => {
      await Promise.all(open.map((speaker) => speaker.close()))
      rmSync(folder, { recursive: true, force: true })
    })

    async function place(): Promise<Place> {
      if (road === 'http') return { url: product.url, secret: await product.key('operator') }
      const env = { TOKENWRIGHT_DATA_DIR: folder, PATH: process.env['PATH'] ?? '' }
      return { command: process.execPath, args: [bin.main, 'stdio', '--toolsets', 'bulk'], env }
    }
    async function speaker(by: By): Promise<Speaker> {
      const made = await speak(await place(), by)
      open.push(made)
      // From here on every structured answer is held against the schema that was listed.
      await made.tools()
      return made
    }
    async function tokenOf(by: Speaker, name: string): Promise<string> {
      const { structuredContent } = await by.call('create_token', { name })
      return (structuredContent as { token: { id: string } }).token.id
    }
    async function statusOf(by: Speaker, token_id: string): Promise<unknown> {
      const { structuredContent } = await by.call('get_token', { token_id })
      return (structuredContent as { token: { status: string } }).token.status
    }
    const previewOf = ({ structuredContent }: Result) => (structuredContent as { preview: Preview }).preview
    const code = ({ _meta }: Result) => _meta?.['tokenwright/code']

    it('who has nobody to ask is told of the dry run, is shown it, and confirms exactly that', async () => {
      const by = await speaker('nobody')
      const token_id = await tokenOf(by, 'alone')
      const refused = await by.call('revoke_token', { token_id })
      expect([code(refused), refused.content[0]?.text]).toEqual([
        'conflict',
        expect.stringContaining('dry_run: true'),
      ])
      const shown = previewOf(await by.call('revoke_token', { token_id, dry_run: true }))
      expect(shown).toMatchObject({ tokens_hit: { count: 1, tokens: [{ id: token_id }] } })
      expect(await statusOf(by, token_id)).toBe('active')
      const other = await tokenOf(by, 'another')
      expect(code(await by.call('revoke_token', { token_id: other, confirm: shown.confirm }))).toBe(
        'conflict',
      )
      const done = await by.call('revoke_token', { token_id, confirm: shown.confirm })
      expect(done.structuredContent).toMatchObject({ token: { id: token_id, status: 'revoked' } })
      expect(await statusOf(by, other)).toBe('active')
    })

    it('a person who is asked reads what would be lost, and their no changes nothing', async () => {
      const asked: string[] = []
      let answer: object = { action: 'decline' }
      const by = await speaker((message) => {
        asked.push(message)
        return answer
      })
      const token_id = await tokenOf(by, 'kept')
      for (const no of [
        { action: 'decline' },
        { action: 'cancel' },
        { action: 'accept', content: { confirm: false } },
      ]) {
        answer = no
        expect(code(await by.call('revoke_token', { token_id }))).toBe('conflict')
      }
      expect(asked).toHaveLength(3)
      expect(new Set(asked)).toEqual(
        new Set([expect.stringMatching(/^Revoke a token: "kept" \(.*Never used\.$/)]),
      )
      expect(await statusOf(by, token_id)).toBe('active')
      answer = { action: 'accept', content: { confirm: true } }
      expect((await by.call('revoke_token', { token_id })).structuredContent).toMatchObject({ changed: true })
      expect(asked).toHaveLength(4)
    })

    it('many tokens are shown and revoked in the same two steps, and who can be asked may still confirm', async () => {
      const asked: string[] = []
      const by = await speaker((message) => {
        asked.push(message)
        return { action: 'decline' }
      })
      const text = `many ${road}`
      for (const at of [1, 2, 3]) await tokenOf(by, `${text} ${at}`)
      const shown = previewOf(await by.call('revoke_tokens', { text, dry_run: true }))
      expect(shown.tokens_hit.count).toBe(3)
      const done = await by.call('revoke_tokens', { text, confirm: shown.confirm })
      expect(done.structuredContent).toMatchObject({ revoked: 3 })
      expect(asked).toEqual([])
      const { structuredContent } = await by.call('list_audit_events', { limit: 10 })
      const { events } = structuredContent as { events: { action: string; details: object }[] }
      const own = events.filter(({ action }) => action === 'revoke_tokens')
      expect(own).toMatchObject([{ details: { confirmed_by: 'digest', revoked: 3 } }])
    })
  },
)
