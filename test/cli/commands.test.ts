import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin, openToOthers, type Run } from './bin.ts'

interface Made {
  token: { id: string; name: string; status: string; generation: number }
  delivery: { secret: string; code: string; path: string }
}

const secretForm = /[a-z0-9]{2,8}_[0-9A-Za-z]{43}/

describe('the command line', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin.remove())

  const refused = async (run: Promise<Run>, code: number, sentence: RegExp) => {
    const done = await run
    expect(done).toMatchObject({ code, stdout: '' })
    expect(done.stderr).toMatch(/^tokenwright: [^\n]+\n$/)
    expect(done.stderr).toMatch(sentence)
  }

  it('creates, lists, rotates and revokes a token, each answer one JSON document', async () => {
    const made = await bin.json<Made>([
      'create-token',
      '--name',
      'CI',
      '--allowed-ips',
      '10.0.0.0/8',
      '--allowed-ips',
      '::1',
    ])
    expect(made.delivery.secret).toMatch(/^mcpt_\w{43}$/)
    const { token } = made
    const listed = await bin.json<{ tokens: Made['token'][] }>(['list-magic-tokens', '--status', 'active'])
    expect(listed.tokens.map((one) => one.id)).toContain(token.id)
    const rotated = await bin.json<Made>(['rotate-token', '--token-id', token.id])
    expect(rotated.token).toMatchObject({ id: token.id, generation: 2 })
    const old = await bin.json<{ valid: boolean }>(['validate-token', '--token', '-'], {
      input: made.delivery.secret,
    })
    expect(old.valid).toBe(false)
    await bin.json(['revoke-token', '--token-id', token.id, '--yes'])
    const after = await bin.json<Made>(['get-token', '--token-id', token.id])
    expect(after.token.status).toBe('revoked')
    await refused(bin.run(['update-token', '--token-id', token.id, '--name', 'x']), 6, /revoked/)
  })

  it('judges patterns of guardrails with their engine, which is in a file that no start reads', async () => {
    const { config } = await bin.json<{ config: { id: string } }>(['create-config', '--name', 'guarded'])
    const add = (pattern: string) => {
      const policy = { enabled: true, block: ['regex'], additional_config: { patterns: [pattern] } }
      const flags = ['--runs', '{"command":"npx"}', '--guardrails', JSON.stringify({ input: policy })]
      return bin.run(['add-config-server', '--config-id', config.id, '--name', 's', ...flags])
    }
    await refused(add('('), 2, /guardrails\.input\.additional_config\.patterns\.0: is no regular expression/)
    expect((await add('a+')).code).toBe(0)
    const chunks = join(dirname(bin.main), 'chunks')
    const withEngine = readdirSync(chunks).filter((file) =>
      readFileSync(join(chunks, file), 'utf8').includes('RE2JSSyntaxException'),
    )
    expect(withEngine).toEqual(['re2js.cjs'])
  })

  it('gives a server a program from one flag, explains who may use it and shows what a change would take', async () => {
    const { server } = await bin.json<{ server: { id: string } }>(['create-server', '--name', 'Weather'])
    const one = ['--server-id', server.id]
    const runs = { command: 'npx', args: ['-y', 'a server; $(x)'], env: { KEY: 'value_of_the_variable' } }
    const set = await bin.run(['set-server-upstream', ...one, '--runs', JSON.stringify(runs)])
    expect(JSON.parse(set.stdout)).toMatchObject({
      server: { command: 'npx', args: runs.args, env: { KEY: '***' } },
    })
    expect(set.stdout + set.stderr).not.toContain(runs.env.KEY)
    await refused(bin.run(['set-server-upstream', ...one, '--runs', 'npx -y']), 2, /runs: must be JSON/)
    await refused(bin.run(['set-server-upstream', ...one]), 2, /one of these must be given/)
    expect(await bin.json(['get-server', ...one])).toMatchObject({ server: { runs: 'program' } })
    const access = JSON.stringify({ servers: [server.id], tool_rules: { deny: ['*/delete*'] } })
    const { token } = await bin.json<Made>(['create-token', '--name', 'explained', '--access', access])
    const asked = ['explain-access', '--token-id', 'explained', '--server', 'weather', '--tool', 'delete_all']
    expect(await bin.json(asked)).toMatchObject({
      allowed: false,
      decided_by: { check: 'tool_not_in_scope', rule: { deny: '*/delete*' } },
    })
    const change = ['simulate-change', '--token-id', token.id, '--change']
    expect(await bin.json([...change, 'revoke'])).toMatchObject({
      summary: 'Revoking hits 1 server; never used.',
    })
    await refused(bin.run([...change, 'delete']), 2, /delete is for a group or a server/)
    expect(await bin.json(['get-token', '--token-id', token.id])).toMatchObject({
      token: { status: 'active' },
    })
  })

  it('takes a switch as --flag, --flag true, --flag false or --no-flag', async () => {
    const { token } = await bin.json<Made>(['create-token', '--name', 'switched'])
    const set = (...flags: string[]) =>
      bin
        .json<Made>(['set-token-enabled', '--token-id', token.id, ...flags])
        .then((done) => done.token.status)
    expect(await set('--enabled', 'false')).toBe('disabled')
    expect(await set('--enabled')).toBe('active')
    expect(await set('--no-enabled')).toBe('disabled')
    expect(await set('--enabled', 'true')).toBe('active')
    await refused(
      bin.run(['set-token-enabled', '--token-id', token.id, '--enabled', 'maybe']),
      2,
      /true or false/,
    )
  })

  it('a group of commands without one of them prints its help and nothing else', async () => {
    const done = await bin.run(['key'])
    expect(done.code).toBe(2)
    expect(done.stderr).toMatch(/^Usage: tokenwright key/)
    expect(done.stderr).not.toContain('tokenwright: ')
  })

  it('takes the whole input as JSON, from a file or standard input, and lets flags win', async () => {
    const file = join(bin.dataDir, 'input.json')
    writeFileSync(file, '{"name":"from file","access":{"all_servers":true}}', { mode: 0o600 })
    const made = await bin.json<Made>(['create-token', '--json-input', file, '--name', 'from flag'])
    expect(made.token).toMatchObject({ name: 'from flag', access: { all_servers: true } })
    const piped = await bin.json<Made>(['create-token', '--json-input', '-'], { input: '{"name":"piped"}' })
    expect(piped.token.name).toBe('piped')
  })

  it('exits with 2 for input that cannot be meant, and says which', async () => {
    await refused(bin.run(['list-groups', '--grup', 'x']), 2, /unknown option '--grup'/i)
    await refused(bin.run(['lst-groups']), 2, /did you mean list-groups/i)
    await refused(bin.run(['get-token']), 2, /--token-id must be given/)
    await refused(bin.run(['list-groups', '--limit', '1.5']), 2, /limit: must be a whole number/)
    await refused(
      bin.run(['create-token', '--json-input', '-'], { input: '{"name":"a","nope":1}' }),
      2,
      /unknown argument nope/,
    )
    await refused(
      bin.run(['create-token', '--json-input', '-'], { input: `{"name":"${'a'.repeat(300_000)}"}` }),
      2,
      /more than 262144 bytes/,
    )
    await refused(
      bin.run(['list-groups'], { env: { TOKENWRIGHT_ROLE: 'root' } }),
      2,
      /^tokenwright: TOKENWRIGHT_ROLE must be one of/,
    )
  })

  it('R14: takes no secret on the command line', async () => {
    const secret = `mcpt_${'a'.repeat(43)}`
    const done = await bin.run(['validate-token', '--token', secret])
    expect(done).toMatchObject({ code: 2, stdout: '' })
    expect(done.stderr).not.toContain(secret)
    expect((await bin.run(['claim', secret])).stderr).not.toContain(secret)
  })

  it('has an exit code for each kind of refusal, and says it as JSON where asked', async () => {
    await refused(bin.run(['create-token', '--name', 'x', '--role', 'reader']), 4, /tokens:write/)
    await refused(bin.run(['get-token', '--token-id', 'mgtk_none']), 5, /No token/)
    await refused(bin.run(['list-groups', '--url', 'http://127.0.0.1:9']), 3, /TOKENWRIGHT_KEY/)
    const env = { TOKENWRIGHT_KEY: 'mcpm_x' }
    await refused(
      bin.run(['list-groups', '--url', 'http://127.0.0.1:9'], { env }),
      8,
      /127\.0\.0\.1:9 cannot be reached/,
    )
    await refused(
      bin.run(['list-groups', '--url', 'http://127.0.0.1:9', '--data', bin.dataDir]),
      2,
      /exclude each other/,
    )
    const json = await bin.run(['get-token', '--token-id', 'mgtk_none', '--json'])
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: 'not_found',
      detail: expect.stringMatching(/No token/),
    })
  })

  it('destroys nothing without a terminal to ask on or --yes', async () => {
    const { token } = await bin.json<Made>(['create-token', '--name', 'kept'])
    await refused(
      bin.run(['revoke-token', '--token-id', token.id]),
      2,
      /"Revoke a token mgtk_\w+" cannot be undone; add --yes/,
    )
    expect((await bin.json<Made>(['get-token', '--token-id', token.id])).token.status).toBe('active')
  })

  it('R7: claim reads the code of a link from standard input, once; the second attempt is gone', async () => {
    const made = await bin.json<Made>(['create-token', '--name', 'linked', '--delivery', 'link'])
    expect(made.delivery.secret).toBeUndefined()
    const claimed = await bin.json<{ secret: string }>(['claim'], { input: `${made.delivery.code}\n` })
    expect(claimed.secret).toMatch(/^mcpt_\w{43}$/)
    await refused(bin.run(['claim'], { input: made.delivery.code }), 6, /was opened at/)
    await refused(bin.run(['claim'], { input: '\n' }), 2, /nothing was given/)
  })

  it('makes, lists and revokes management keys, and knows the last admin key', async () => {
    const made = await bin.json<{ key: { id: string; role: string }; secret: string }>([
      'key',
      'create',
      '--name',
      'ci',
      '--role',
      'reader',
    ])
    expect(made.secret).toMatch(/^mcpm_\w{43}$/)
    expect(made.key.role).toBe('reader')
    const { keys } = await bin.json<{ keys: { id: string; role: string }[] }>(['key', 'list'])
    const admin = keys.find((key) => key.role === 'admin')!
    expect(keys.map((key) => key.id)).toContain(made.key.id)
    await bin.json(['key', 'revoke', '--key-id', made.key.id, '--yes'])
    await refused(bin.run(['key', 'revoke', '--key-id', admin.id, '--yes']), 6, /last admin key/)
    expect((await bin.run(['key', 'generate'])).stdout).toMatch(/^mcpm_\w{43}\n$/)
  })

  it('sets policy by name, and refuses what no setting takes', async () => {
    const { settings } = await bin.json<{ settings: { max_lifetime_days: number } }>([
      'settings',
      'set',
      'max_lifetime_days',
      '90',
    ])
    expect(settings.max_lifetime_days).toBe(90)
    await bin.json(['settings', 'set', 'max_lifetime_days', 'null'])
    const strict = await bin.json(['settings', 'set', 'require_expiry', 'true'])
    expect(strict).toMatchObject({ settings: { require_expiry: true }, changed: true })
    await refused(bin.run(['create-token', '--name', 'x', '--expires-at', 'null']), 2, /require_expiry/)
    await bin.json(['settings', 'set', 'require_expiry', 'false'])
    expect((await bin.run(['settings', 'set', '--help'])).stdout).toMatch(
      /^ {2}require_allowed_ips +true = .*^ {2}dormant_days +Tokens /ms,
    )
    await refused(
      bin.run(['settings', 'set', 'max_lifetime', '90']),
      2,
      /There is no setting of that name; there are .*max_lifetime_days/,
    )
    await refused(bin.run(['settings', 'set', 'delivery_kinds', 'link,mail']), 2, /delivery_kinds/)
    await refused(
      bin.run(['settings', 'set', 'max_lifetime_days', '90', '--role', 'operator']),
      4,
      /system:write/,
    )
  })

  it('audit verify proves the trail, and audit list shows who did what', async () => {
    expect(await bin.json(['audit', 'verify'])).toMatchObject({ ok: true })
    const { events } = await bin.json<{ events: { via: string; action: string }[] }>([
      'audit',
      'list',
      '--action',
      'create_token',
    ])
    expect(events[0]).toMatchObject({ via: 'cli', action: 'create_token' })
  })

  it('R4: leaves nothing that others may read, under umask 000 and after a delivery by file', async () => {
    const made = await bin.json<Made>(['create-token', '--name', 'filed', '--delivery', 'file'])
    expect(made.delivery.path).toContain(bin.dataDir)
    expect(openToOthers(bin.dataDir)).toEqual([])
  })

  it('R53: a mistyped flag that carries a secret is not repeated', async () => {
    const done = await bin.run(['create-token', `--tokn=mcpt_${'b'.repeat(43)}`])
    expect(done.code).toBe(2)
    expect(done.stderr).not.toMatch(secretForm)
  })
})
