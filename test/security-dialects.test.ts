import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from './http/serving.ts'
import { type Send, sendAs } from './rest/support.ts'
import { databases } from './support/databases.ts'

describe.each(databases)('attacks through the dialects on $name', (database) => {
  let running: Running
  let admin: Send
  beforeAll(async () => {
    running = await openServing(database)
    admin = sendAs(running, running.adminKey)
    await admin('POST /api/v1/configs', { config_name: 'tools' })
  })
  afterAll(() => running.close())

  describe('R32: a name that a caller chose is not told back where it may be a secret or is no plain name', () => {
    const hidden = '(a name that is not shown)'
    const server = (more: object) => ({ server_name: 's', server_command: 'c', ...more })
    it.each([
      ['a secret', () => running.adminKey],
      ['a secret in a longer name', () => `x.${running.adminKey}.y`],
      ['a long name', () => 'A'.repeat(5_000)],
      ['lines and overrides', () => 'a\r\nb\u202e'],
    ])('%s', async (_, make) => {
      const name = make()
      const sent: [line: string, body: object][] = [
        ['POST /api/v1/configs/tools/servers', server({ env: { [name]: 5 } })],
        ['POST /api/v1/configs/tools/servers', server({ env: { [`${name} x`]: 'v' } })],
        ['POST /api/v1/configs/tools/servers', server({ tools: { [name.padEnd(201, 'x')]: 1 } })],
        ['POST /api/v1/configs/tools/servers', server({ tools: { [name]: '\0' } })],
        ['POST /v1/create_token', { name: 't', metadata: { [name]: { deep: '\ud800' } } }],
        ['POST /v1/set_environment', { project_id: 'p', name: 'e', variables: { [name]: 5 } }],
      ]
      for (const [line, body] of sent) {
        const { status, text } = await admin(line, body)
        expect([line, status]).toEqual([line, 400])
        expect(text).toContain(hidden)
        expect(text).not.toContain(JSON.stringify(name).slice(1, -1).slice(0, 200))
        expect(text.length).toBeLessThan(1_000)
      }
    })

    it('a plain name is told', async () => {
      const { text } = await admin('POST /api/v1/configs/tools/servers', server({ env: { 'MY.TOKEN-2': 5 } }))
      expect(text).toContain('env.MY.TOKEN-2: ')
    })
  })
})
