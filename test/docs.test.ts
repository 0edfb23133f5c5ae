import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from './http/serving.ts'
import { database } from './support/databases.ts'

interface Page {
  /** The page is <name>.md, from docs/. */
  name: string
  /** Variables its commands expect beside TOKENWRIGHT_URL and TOKENWRIGHT_KEY, which is the admin key. */
  prepare?(running: Running, folder: string): Promise<Record<string, string>>
}

const pages: Page[] = [
  { name: 'enkrypt' },
  { name: 'gateway', prepare: withServer },
  { name: 'gassapi', prepare: withCommand },
  { name: 'guard', prepare: withCommand },
  { name: '../examples/protected-server/README', prepare: withCheckout },
  { name: 'leaks', prepare: withCommand },
  { name: 'mctx' },
  { name: 'metorial' },
  { name: 'policies', prepare: withCommand },
  { name: 'standard' },
]

/** Lets the commands of a page call `tokenwright`, which is this program from its source. */
async function withCommand(_: Running, folder: string): Promise<Record<string, string>> {
  const bin = join(folder, 'bin')
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  mkdirSync(bin)
  const text = `#!/bin/sh\nexec '${process.execPath}' --import '${import.meta.resolve('tsx')}' '${main}' "$@"\n`
  writeFileSync(join(bin, 'tokenwright'), text, { mode: 0o755 })
  return { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
}

/** As `withCommand`, in a folder that looks like the root of a checkout. */
async function withCheckout(running: Running, folder: string): Promise<Record<string, string>> {
  for (const entry of ['examples', 'node_modules', 'package.json', 'src', 'tsconfig.json']) {
    symlinkSync(fileURLToPath(new URL(`../${entry}`, import.meta.url)), join(folder, entry))
  }
  return withCommand(running, folder)
}

/** A published MCP server that the page puts behind the gateway. */
async function withServer(): Promise<Record<string, string>> {
  const url = new URL(
    '../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
    import.meta.url,
  )
  return { EVERYTHING: fileURLToPath(url) }
}

const mark = '--- block'

/** The shell blocks of a page, in order. */
function blocksOf(name: string): string[] {
  const text = readFileSync(new URL(`../docs/${name}.md`, import.meta.url), 'utf8')
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
}

/** Runs the blocks as one script that stops at the first command that fails; answers the blocks that ended well. */
function runAll(
  blocks: string[],
  env: Record<string, string>,
  cwd: string,
): Promise<{ done: number; said: string }> {
  // What a page starts beside itself ends with it, however it ends.
  const first = ['set -euo pipefail', "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
  const script = [...first, ...blocks.flatMap((block, at) => [block, `echo '${mark} ${at}'`])]
  const options = {
    env: { PATH: process.env.PATH ?? '', HOME: cwd, LC_ALL: 'C', ...env },
    cwd,
    timeout: 120_000,
  }
  return new Promise((resolve) => {
    execFile('bash', ['-c', script.join('\n')], options, (_, stdout, stderr) => {
      resolve({ done: stdout.split(mark).length - 1, said: `${stdout}\n${stderr}`.slice(-2_000) })
    })
  })
}

// A name right before a dot would be read as a path into the page.
describe.each(pages)('the page $name', ({ name, prepare }) => {
  let running: Running
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-docs-'))
  beforeAll(async () => {
    running = await openServing(database('sqlite'), { allowCommands: true })
  })
  afterAll(async () => {
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('every shell block runs as it stands, from the first to the last, on a fresh server', async () => {
    const blocks = blocksOf(name)
    expect(blocks.length).toBeGreaterThan(0)
    const env = {
      TOKENWRIGHT_URL: running.url,
      TOKENWRIGHT_KEY: running.adminKey,
      ...(await prepare?.(running, folder)),
    }
    const { done, said } = await runAll(blocks, env, folder)
    expect([done, done < blocks.length ? `${blocks[done]}\n${said}` : '']).toEqual([blocks.length, ''])
  }, 120_000)
})

describe('running the blocks of a page', () => {
  it('stops at the first command that fails, also inside a pipe and for a variable nobody set', async () => {
    const run = async (...blocks: string[]) => (await runAll(blocks, {}, tmpdir())).done
    expect(await run('true', 'A=1', 'test "$A" = 1')).toBe(3)
    for (const bad of [
      'false',
      'false | cat',
      'echo "$NOBODY_SET_THIS"',
      'curl -sS --fail-with-body http://127.0.0.1:1/',
    ])
      expect([bad, await run('true', bad, 'true')]).toEqual([bad, 1])
  })
})
