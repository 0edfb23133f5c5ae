import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSecret } from '../../src/domain/secret.ts'
import { type Bin, emptyFolder, openBin, openToOthers, type Run, runProgram } from './bin.ts'

const eight = Array.from({ length: 8 })
const anySecret = /[a-z0-9]{2,8}_[0-9A-Za-z]{43}/

interface Key {
  id: string
  role: string
  source: string
  status: string
}

describe('the first start', () => {
  let bin: Bin
  const folders: string[] = []
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => {
    bin.remove()
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  const folder = () => {
    const made = emptyFolder()
    folders.push(made)
    return made
  }
  const at = (dir: string, args: string[], env: Record<string, string> = {}): Promise<Run> =>
    runProgram(bin.main, args, { env: { TOKENWRIGHT_DATA_DIR: dir, ...env } })
  const keysIn = async (dir: string): Promise<Key[]> =>
    JSON.parse((await at(dir, ['key', 'list'])).stdout).keys

  it('R3, R14: of 8 at once all succeed, one key and one admin remain, and no output holds the key', async () => {
    const dir = folder()
    const runs = await Promise.all(eight.map(() => at(dir, ['list-groups'])))
    expect(runs.map((run) => run.code)).toEqual(eight.map(() => 0))
    expect(runs.filter((run) => run.stderr.includes('admin.key'))).toHaveLength(1)
    expect(runs.map((run) => run.stdout + run.stderr).join('')).not.toMatch(anySecret)
    expect((await keysIn(dir)).map((key) => [key.role, key.source])).toEqual([['admin', 'bootstrap']])
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect(readFileSync(join(dir, 'admin.key'), 'utf8')).toMatch(/^mcpm_\w{43}\n$/)
    expect(openToOthers(dir)).toEqual([])
  }, 60_000)

  it('R14: a key from the environment is the only admin of 8 starts, replaced when it changes, and written nowhere', async () => {
    const dir = folder()
    const first = makeSecret('mcpm')
    const runs = await Promise.all(
      eight.map(() => at(dir, ['list-groups'], { TOKENWRIGHT_ADMIN_KEY: first })),
    )
    expect(runs.map((run) => run.code)).toEqual(eight.map(() => 0))
    const second = makeSecret('mcpm')
    const changed = await at(dir, ['key', 'list'], { TOKENWRIGHT_ADMIN_KEY: second })
    expect(JSON.parse(changed.stdout).keys).toMatchObject([
      { role: 'admin', source: 'env', status: 'active' },
    ])
    expect(JSON.parse(changed.stdout).keys[0].last4).toBe(second.slice(-4))
    expect(existsSync(join(dir, 'admin.key'))).toBe(false)
    expect([...runs, changed].map((run) => run.stdout + run.stderr).join('')).not.toMatch(anySecret)
  }, 60_000)

  it('R14: a malformed key from the environment refuses the start and makes no key', async () => {
    const dir = folder()
    for (const wrong of [makeSecret('mcpt'), 'mcpm_short', `${makeSecret('mcpm').slice(0, -1)}-`]) {
      const run = await at(dir, ['list-groups'], { TOKENWRIGHT_ADMIN_KEY: wrong })
      expect(run).toMatchObject({ code: 1, stdout: '' })
      expect(run.stderr).toMatch(/^tokenwright: TOKENWRIGHT_ADMIN_KEY is not a management key/)
      expect(run.stderr).not.toContain(wrong)
    }
    expect(existsSync(join(dir, 'admin.key'))).toBe(false)
    const empty = await at(dir, ['list-groups'], { TOKENWRIGHT_ADMIN_KEY: '' })
    expect(empty.stderr).toBe(
      'tokenwright: TOKENWRIGHT_ADMIN_KEY is empty; leave it out or give it a value.\n',
    )
    expect(empty.code).toBe(2)
  })

  it('R3: without its secret.key, or with another, a database is refused and nothing new is written', async () => {
    const dir = folder()
    expect((await at(dir, ['list-groups'])).code).toBe(0)
    rmSync(join(dir, 'secret.key'))
    for (const args of [['list-groups'], ['stdio'], ['serve', '--port', '0']]) {
      const run = await at(dir, args)
      expect(run).toMatchObject({ code: 1, stdout: '' })
      expect(run.stderr).toMatch(/^tokenwright: The database exists but its secret.key is missing/)
    }
    const other = await at(dir, ['list-groups'], {
      TOKENWRIGHT_SECRET: Buffer.alloc(32, 7).toString('base64url'),
    })
    expect(other.stderr).toMatch(/^tokenwright: TOKENWRIGHT_SECRET does not belong to this database/)
    expect(existsSync(join(dir, 'secret.key'))).toBe(false)
  })

  it('a folder that cannot be used and a store that is away are told by name, with the setting to check', async () => {
    const dir = folder()
    const file = await at(dir, ['list-groups', '--data', bin.main])
    expect(file).toMatchObject({
      code: 1,
      stderr: 'tokenwright: The data folder is a file. Check --data and TOKENWRIGHT_DATA_DIR.\n',
    })
    const away = await at(dir, ['list-groups'], {
      TOKENWRIGHT_DATABASE_URL: 'postgres://user:pa55word@127.0.0.1:9/x',
    })
    expect(away.code).toBe(8)
    expect(away.stderr).toMatch(/^tokenwright: The token store cannot be opened \(ECONNREFUSED\)/)
    expect(away.stderr).not.toContain('pa55word')
  })
})
