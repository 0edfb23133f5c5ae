import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../cli/bin.ts'
import { openServing, type Running } from '../http/serving.ts'
import { sendAs } from '../rest/support.ts'
import { type Database, databases } from '../support/databases.ts'

/** What a door said: a status of HTTP, or what a command or a tool came to in its terms. */
type Door = (key: string, canary: string) => Promise<{ status: number; text: string }>

interface House {
  serving: Running
  /** A file that any program of the test would make. */
  canary: string
  keys: Record<'operator' | 'reader' | 'validator', string>
  token: { id: string; secret: string }
  doors: Record<string, Door>
  /** What `operation` answers the admin; a refusal fails the test. */
  op(operation: string, input?: object): ReturnType<typeof JSON.parse>
  /** Every server the store holds. */
  slugs(): Promise<string[]>
}

const program = (canary: string) => ({ command: 'touch', args: [canary, `$(touch ${canary})`] })
const entry = (canary: string) => ({ server_name: 'c', config: program(canary) })
const document = (canary: string) => ({ config: { mcp_config: [entry(canary)] } })

/** A server and every way to tell it what to run. */
async function openHouse(database: Database, bin: Bin, flags: { allowCommands?: boolean }): Promise<House> {
  const serving = await openServing(database, { toolsets: ['configs', 'servers'], ...flags })
  const op: House['op'] = async (operation: string, input: object = {}) => {
    const { status, text, json } = await serving.call(operation, input)
    expect(status, `${operation}: ${text}`).toBeLessThan(300)
    return json
  }
  const canary = join(serving.place.dataDir, 'canary')
  const key = async (role: string) => (await op('create_management_key', { name: role, role })).secret
  const made = await op('create_token', {
    name: 'guest',
    access: { all_servers: true },
    delivery: 'inline',
  })
  const config_id: string = (await op('create_config', { name: 'all' })).config.id
  const added = await op('add_config_server', { config_id, name: 'harmless', runs: { command: 'true' } })
  const server_id: string = added.server.id
  const bare: string = (await op('create_server', { name: 'Bare' })).server.id
  const enkrypt = (line: string, body: object, key: string) =>
    sendAs(serving, key)(line.replace(' /', ' /api/v1/'), body)
  let last = 0
  const fresh = () => `n${++last}`
  const doors: Record<string, Door> = {
    'v1 add_config_server': (key, canary) =>
      serving.call('add_config_server', { config_id, name: fresh(), runs: program(canary) }, key),
    'v1 update_config_server': (key, canary) =>
      serving.call('update_config_server', { config_id, server_id, runs: program(canary) }, key),
    'v1 set_server_upstream': (key, canary) =>
      serving.call('set_server_upstream', { server_id: bare, runs: program(canary) }, key),
    'v1 import_config': (key, canary) =>
      serving.call('import_config', { name: fresh(), data: document(canary) }, key),
    'v1 copy_config': (key) => serving.call('copy_config', { config_id, name: fresh() }, key),
    'v1 restore_backup': async (key) => {
      const { backup } = await op('create_backup')
      return serving.call('restore_backup', { data: backup }, key)
    },
    'enkrypt add': (key, canary) =>
      enkrypt(
        `POST /configs/${config_id}/servers`,
        { server_name: fresh(), server_command: 'touch', args: [canary] },
        key,
      ),
    'enkrypt update': (key, canary) =>
      enkrypt(`PUT /configs/${config_id}/servers/harmless`, { server_command: 'touch', args: [canary] }, key),
    'enkrypt import': (key, canary) =>
      enkrypt('POST /configs/import', { config_name: fresh(), data: document(canary) }, key),
    'enkrypt copy': (key) =>
      enkrypt('POST /configs/copy', { source_config: config_id, target_config: fresh() }, key),
    'enkrypt restore': async (key) => {
      const { backup } = await op('create_backup')
      return enkrypt('POST /system/restore', { data: backup }, key)
    },
    async 'mcp add_config_server'(key, canary) {
      const message = {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'add_config_server',
          arguments: { config_id, name: fresh(), runs: program(canary) },
        },
      }
      const { status, text } = await sendAs(serving, key)('POST /mcp', message, {
        accept: 'application/json, text/event-stream',
      })
      return { status: status < 300 && /"isError":true|"error":/.test(text) ? 403 : status, text }
    },
    async 'command line'(key, canary) {
      const args = ['--config-id', config_id, '--name', fresh(), '--runs', JSON.stringify(program(canary))]
      const { code, stderr } = await bin.run(['add-config-server', ...args], {
        env: { TOKENWRIGHT_URL: serving.url, TOKENWRIGHT_KEY: key },
      })
      return { status: code === 0 ? 200 : code === 4 ? 403 : 500, text: stderr }
    },
  }
  return {
    serving,
    canary,
    keys: {
      operator: await key('operator'),
      reader: await key('reader'),
      validator: await key('validator'),
    },
    token: { id: made.token.id, secret: made.delivery.secret },
    doors,
    op,
    slugs: async () =>
      (await op('list_servers', { limit: 100 })).servers.map((server: { slug: string }) => server.slug),
  }
}

const hello = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}

describe.each(databases)('R34: an entry with a command on $name', (database) => {
  let bin: Bin
  let house: House
  let allowing: House
  beforeAll(async () => {
    bin = await openBin()
    house = await openHouse(database, bin, {})
    allowing = await openHouse(database, bin, { allowCommands: true })
  })
  afterAll(async () => {
    await house?.serving.close()
    await allowing?.serving.close()
    bin?.remove()
  })

  /** Says hello to a server through the gateway, as somebody who may. */
  const visit = ({ serving, token }: House, slug: string, more: object = {}, query = '') =>
    sendAs(serving, token.secret)(
      `POST ${slug === '' ? '/gateway/mcp' : `/servers/${slug}/mcp`}${query}`,
      { ...hello, params: { ...hello.params, ...more } },
      { accept: 'application/json, text/event-stream' },
    )

  const started = ({ serving }: House) => serving.log.filter((line) => line.includes('a program was started'))

  /** Stores programs through these doors. */
  async function fill({ serving, doors, canary }: House, through: string[]): Promise<void> {
    for (const door of through) {
      const { status, text } = await doors[door]!(serving.adminKey, canary)
      expect([door, status < 300, text]).toEqual([door, true, expect.any(String)])
    }
  }
  const some = ['v1 set_server_upstream', 'v1 add_config_server', 'enkrypt add', 'enkrypt import']

  it('R34: is stored through every face by an admin and by nobody else, and storing, validating, exporting and restoring run nothing', async () => {
    for (const one of [house, allowing]) {
      const { serving, keys, token, doors, canary, op } = one
      const { servers } = await op('list_servers', { limit: 100 })
      for (const [door, store] of Object.entries(doors)) {
        const callers = Object.entries({ ...keys, token: token.secret })
        for (const [who, key] of callers) {
          // Each asking of the command line is a process.
          if (door === 'command line' && who !== 'operator') continue
          const { status } = await store(key, canary)
          // Where an access token is no credential at all, it is told so.
          expect([door, who, status]).toEqual([door, who, who === 'token' && status === 401 ? 401 : 403])
        }
      }
      expect((await op('list_servers', { limit: 100 })).servers).toEqual(servers)
      await fill(one, Object.keys(doors))
      const { configs } = await op('list_configs', { limit: 100 })
      expect(configs.length).toBeGreaterThan(4)
      for (const { id: config_id } of configs) {
        await op('validate_config', { config_id })
        await op('export_config', { config_id, include_secrets: true })
        const validated = await sendAs(
          serving,
          serving.adminKey,
        )(`POST /api/v1/configs/${config_id}/validate`)
        expect(validated.status).toBe(200)
      }
    }
    await sleep(300)
    for (const one of [house, allowing]) {
      expect(existsSync(one.canary)).toBe(false)
      expect(started(one)).toEqual([])
    }
  }, 60_000)

  it('R34: is refused by a gateway without the flag, whatever a request says, and run by one with it', async () => {
    await fill(house, some)
    const slugs = await house.slugs()
    expect(slugs.length).toBeGreaterThan(4)
    const wishes: [more: object, query: string][] = [
      [{}, ''],
      [{ allow_commands: true, _meta: { allowCommands: true } }, ''],
      [{}, '?allow_commands=true&allowCommands=1'],
    ]
    for (const slug of slugs) {
      for (const wish of wishes) {
        const { json } = await visit(house, slug, ...wish)
        expect([slug, json.error?.data]).toEqual([slug, { server: slug, reason: 'commands_off' }])
      }
    }
    expect((await visit(house, '')).status).toBe(200)
    for (const setting of ['allow_commands', 'allowCommands'])
      expect((await house.serving.call('update_settings', { [setting]: true })).status).toBe(400)
    await sleep(300)
    expect(existsSync(house.canary)).toBe(false)
    expect(started(house)).toEqual([])

    await fill(allowing, some)
    expect(existsSync(allowing.canary)).toBe(false)
    const { json } = await visit(allowing, 'bare')
    expect(json.error.data).toEqual({ server: 'bare', reason: 'crashed' })
    expect(existsSync(allowing.canary)).toBe(true)
  })

  it('R34: shell characters reach the program as they were stored, and mean nothing', async () => {
    const { op, serving } = allowing
    const trace = join(serving.place.dataDir, 'trace')
    const script = join(serving.place.dataDir, 'argv.mjs')
    writeFileSync(
      script,
      `import { writeFileSync } from 'node:fs'
       writeFileSync(${JSON.stringify(trace)}, JSON.stringify(process.argv.slice(2)))`,
    )
    const other = join(serving.place.dataDir, 'other')
    const args = [
      `; touch ${other}`,
      `$(touch ${other})`,
      `\`touch ${other}\``,
      `| touch ${other} && touch ${other} > ${other}`,
      '$HOME ${PATH} ~ * ? [a-z] {a,b} %PATH% ^ !',
      '"double" \'single\' back\\slash',
      'two\nlines',
      ' blanks  around ',
      '',
      '--flag=ünïcödé 🦊',
    ]
    const { config } = await op('create_config', { name: 'literal' })
    const runs = { command: process.execPath, args: [script, ...args] }
    const added = await op('add_config_server', { config_id: config.id, name: 'literal', runs })
    expect((await visit(allowing, added.server.slug)).json.error.data.reason).toBe('crashed')
    expect(existsSync(trace)).toBe(true)
    expect(JSON.parse(readFileSync(trace, 'utf8'))).toEqual(args)
    expect(existsSync(other)).toBe(false)
  })
})
