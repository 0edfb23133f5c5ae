import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './bin.ts'

const hasTmux = spawnSync('tmux', ['-V']).status === 0

it('a terminal multiplexer is there to test terminals with, at least in continuous integration', () => {
  if (!hasTmux)
    console.warn('tmux is not installed: how the command line behaves on a terminal is not tested')
  expect(hasTmux || process.env['CI'] !== 'true').toBe(true)
})

describe.runIf(hasTmux)('the command line on a terminal', () => {
  const socket = `tokenwright-${process.pid}`
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
    // A server goes with its last session, and could go while the next one is asked for.
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', 'new-session', '-d', '-s', 'stay', 'sleep 600'])
  })
  afterAll(() => {
    spawnSync('tmux', ['-L', socket, 'kill-server'])
    bin.remove()
  })

  /** Runs it in a terminal of that width, types the answers one after the other and answers what the screen showed. */
  async function onTerminal(
    args: string[],
    width: number,
    answers: [after: RegExp, type: string][] = [],
  ): Promise<string> {
    const quoted = [process.execPath, bin.main, ...args].map((part) => `'${part}'`).join(' ')
    const script = `TOKENWRIGHT_DATA_DIR='${bin.dataDir}' ${quoted}; echo "exit=$?"; sleep 30`
    const tmux = (...command: string[]) => execFileSync('tmux', ['-L', socket, ...command]).toString()
    tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'test', '-x', String(width), '-y', '60', script)
    try {
      for (const [after, type] of answers) {
        await shows(tmux, after)
        tmux('send-keys', '-t', 'test', '-l', type)
        tmux('send-keys', '-t', 'test', 'Enter')
      }
      return await shows(tmux, /exit=\d/)
    } finally {
      tmux('kill-session', '-t', 'test')
    }
  }

  async function shows(tmux: (...command: string[]) => string, wanted: RegExp): Promise<string> {
    for (let left = 200; left > 0; left--) {
      const screen = tmux('capture-pane', '-p', '-t', 'test')
      if (wanted.test(screen)) return screen
      await sleep(50)
    }
    throw new Error(`the terminal never showed ${wanted}:\n${tmux('capture-pane', '-p', '-t', 'test')}`)
  }

  it('shows a new secret once, on a line of its own', async () => {
    const screen = await onTerminal(['create-token', '--name', 'On screen'], 100)
    expect(screen).toMatch(/^name +On screen$/m)
    expect(screen).toMatch(/^ {2}mcpt_\w{43}$/m)
    expect(screen.match(/mcpt_\w{43}/g)).toHaveLength(1)
    expect(screen).toContain('exit=0')
  })

  it('shows lists as a table that fits the terminal', async () => {
    const screen = await onTerminal(['list-magic-tokens'], 90)
    expect(screen).toMatch(/^id +name +status +expires_at/m)
    expect(screen).toMatch(/^mgtk_\w{22} +On screen +active +\d{4}-\d\d-\d\d \d\d:\d\dZ/m)
    const narrow = await onTerminal(['list-magic-tokens'], 60)
    expect(narrow).toMatch(/^mgtk_\w{22} /m)
    expect(narrow).toMatch(/Not shown: .*last4\. Use --json/)
  })

  it('asks before it destroys, names what, and takes only yes', async () => {
    const { token } = await bin.json<{ token: { id: string } }>(['create-token', '--name', 'asked'])
    const question = /Revoke a token mgtk_\w+: this cannot be undone. Go on\? \[y\/N\]/
    const no = await onTerminal(['revoke-token', '--token-id', token.id], 120, [[question, 'n']])
    expect(no).toContain('Nothing was changed.')
    expect(no).toContain('exit=2')
    const yes = await onTerminal(['revoke-token', '--token-id', token.id], 120, [[question, 'y']])
    expect(yes).toMatch(/^status +revoked$/m)
    expect(yes).toContain('exit=0')
  })

  it('shows what many would lose before it asks, and a dry run says how to go on', async () => {
    for (const name of ['batch 1', 'batch 2']) await bin.json(['create-token', '--name', name])
    const shown = await onTerminal(['revoke-tokens', '--text', 'batch', '--dry-run'], 120)
    expect(shown).toMatch(/2 tokens are revoked \("batch 1", "batch 2"\)\. Never used\.$/m)
    expect(shown).toMatch(
      /^To do exactly this: the same command with --confirm [0-9a-f]{16} instead of --dry-run\.$/m,
    )
    const question = /2 tokens are revoked.*\n+This cannot be undone\. Go on\? \[y\/N\]/
    const no = await onTerminal(['revoke-tokens', '--text', 'batch'], 120, [[question, 'n']])
    expect(no).toMatch(/Nothing was changed\.[\s\S]*exit=2/)
    const yes = await onTerminal(['revoke-tokens', '--text', 'batch'], 120, [[question, 'y']])
    expect(yes).toMatch(/^revoked: 2$[\s\S]*exit=0/m)
  })

  it('asks nothing about a call that could not be made', async () => {
    const screen = await onTerminal(['report-leak'], 120)
    expect(screen).toMatch(/token_id.*secret[\s\S]*exit=2/)
  })

  it('R14: a password that is - is asked for without showing it', async () => {
    const args = ['generate-mcp-token', 'nobody@example.com', '-', 'proj_none']
    const screen = await onTerminal(args, 120, [[/password:/, 'hunter2-secret']])
    expect(screen).not.toContain('hunter2-secret')
    expect(screen).toContain('The e-mail or the password is wrong.')
    expect(screen).toContain('exit=1')
  })

  it('R7: claim asks for the code without showing it', async () => {
    const made = await bin.json<{ delivery: { code: string } }>([
      'create-token',
      '--name',
      'linked',
      '--delivery',
      'link',
    ])
    const screen = await onTerminal(['claim'], 120, [[/code:/, made.delivery.code]])
    expect(screen).not.toContain(made.delivery.code)
    expect(screen).toMatch(/^ {2}mcpt_\w{43}$/m)
  })
})
