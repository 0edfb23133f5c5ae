import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { type Bin, emptyFolder, openBin, openToOthers } from './bin.ts'

interface Made {
  token: { id: string }
  delivery: { secret: string }
}

describe('backup and restore on the command line', () => {
  let bin: Bin
  let folder: string
  beforeAll(async () => {
    bin = await openBin()
    folder = emptyFolder()
  })
  afterAll(() => {
    bin.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  const make = () => bin.json<Made>(['create-token', '--name', 'kept'])
  const isGood = async (secret: string) =>
    (await bin.json<{ valid: boolean }>(['validate-token', '--token', '-'], { input: secret })).valid

  it('R4: writes a private file wherever its owner says, under any umask, and restores from it after a question', async () => {
    const { delivery } = await make()
    const file = join(folder, 'a backup.json')
    writeFileSync(file, 'something older', { mode: 0o666 })
    expect(await bin.json(['backup', file])).toEqual({ file })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['a backup.json'])
    const later = await make()
    const asked = await bin.run(['restore', file])
    expect(asked).toMatchObject({ code: 2, stdout: '' })
    expect(asked.stderr).toMatch(/cannot be undone; add --yes/)
    expect(await isGood(later.delivery.secret)).toBe(true)
    const done = await bin.json<{ restored: object; note: string }>(['restore', file, '--yes'])
    expect(done).toMatchObject({ restored: { tokens: 1, management_keys: 1 }, revoked_since: 0 })
    expect(await isGood(delivery.secret)).toBe(true)
    expect(await isGood(later.delivery.secret)).toBe(false)
  })

  it('R4: a link of that name is replaced, and what it led to stays as it was', async () => {
    const target = join(folder, 'target')
    writeFileSync(target, 'untouched')
    symlinkSync(target, join(folder, 'link.json'))
    await bin.json(['backup', join(folder, 'link.json')])
    expect(readFileSync(target, 'utf8')).toBe('untouched')
    expect(JSON.parse(readFileSync(join(folder, 'link.json'), 'utf8'))).toMatchObject({ backup_version: 1 })
  })

  it('without a file it goes into the exports folder, and everything there is private', async () => {
    const { file } = await bin.json<{ file: string }>(['backup'])
    expect(file).toMatch(/^exports\/backup-\d{17}\.json$/)
    await bin.json(['restore-backup', '--input-file', file.slice('exports/'.length), '--yes'])
    await bin.json(['create-backup', '--output-file', 'named.json'])
    const reset = await bin.json<{ snapshot_file: string }>(['reset-system', '--confirm', '--yes'])
    const found = readdirSync(join(bin.dataDir, 'exports')).sort()
    expect(found).toEqual([file.slice('exports/'.length), 'named.json', reset.snapshot_file].sort())
    expect(openToOthers(bin.dataDir)).toEqual([])
    await bin.json(['restore', join(bin.dataDir, 'exports', reset.snapshot_file), '--yes'])
  })

  it('prints the document for -, and reads it from standard input, of any size', async () => {
    const made = await make()
    const printed = await bin.run(['backup', '-'])
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(printed.stdout)).toMatchObject({ backup_version: 1 })
    const input = printed.stdout.replace(/\n$/, ' '.repeat(17 * 1024 * 1024))
    await bin.json(['restore', '-', '--yes'], { input })
    expect(await isGood(made.delivery.secret)).toBe(true)
  })

  it('R4: a backup that cannot be written, and a restore that cannot be read, are refused and leave nothing', async () => {
    mkdirSync(join(folder, 'in the way'))
    writeFileSync(join(folder, 'file'), 'x')
    for (const path of [join(folder, 'in the way'), join(folder, 'file', 'below')]) {
      const done = await bin.run(['backup', path])
      expect(done).toMatchObject({ code: 2, stdout: '' })
      expect(done.stderr).toMatch(/cannot be written there \(E[A-Z]+\)/)
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect((await bin.run(['restore', join(folder, 'none'), '--yes'])).code).toBe(5)
    expect((await bin.run(['restore', folder, '--yes'])).code).toBe(2)
    expect((await bin.run(['restore', join(folder, 'file'), '--yes'])).code).toBe(2)
    const other = await bin.run(['restore', join(folder, 'a backup.json'), '--yes'], {
      env: { TOKENWRIGHT_DATA_DIR: join(folder, 'another instance') },
    })
    expect(other.code).toBe(6)
    expect(other.stderr).toMatch(/another master key/)
  })

  it('R57: a new data folder takes the backup once it has the old secret.key', async () => {
    const made = await make()
    const file = join(folder, 'moved.json')
    await bin.json(['backup', file])
    const env = { TOKENWRIGHT_DATA_DIR: join(folder, 'moved') }
    mkdirSync(env.TOKENWRIGHT_DATA_DIR, { mode: 0o700 })
    copyFileSync(join(bin.dataDir, 'secret.key'), join(env.TOKENWRIGHT_DATA_DIR, 'secret.key'))
    const done = await bin.json<{ note: string }>(['restore', file, '--yes'], { env })
    expect(done.note).toMatch(/another instance/)
    const checked = await bin.json<{ valid: boolean }>(['validate-token', '--token', '-'], {
      env,
      input: made.delivery.secret,
    })
    expect(checked.valid).toBe(true)
  })

  it('R15: a narrower role may do none of it', async () => {
    for (const args of [['backup'], ['backup', '-'], ['reset-system', '--confirm', '--yes']])
      expect((await bin.run([...args, '--role', 'operator'])).code).toBe(4)
  })

  describe('of a server', () => {
    let running: Running
    beforeAll(async () => {
      running = await openServing(database('sqlite'))
    })
    afterAll(() => running.close())

    it('goes over the network with the admin key, which stays, and to a file of this machine', async () => {
      const remote = { TOKENWRIGHT_URL: running.url, TOKENWRIGHT_KEY: running.adminKey }
      const made = await running.call('create_token', { name: 'remote' })
      const file = join(folder, 'remote.json')
      await bin.json(['backup', file], { env: remote })
      expect(existsSync(join(running.place.dataDir, 'exports'))).toBe(false)
      await bin.json(['reset-system', '--confirm', '--yes'], { env: remote })
      const check = () => running.call('validate_token', { token: made.json.delivery.secret })
      expect((await check()).json.valid).toBe(false)
      await bin.json(['restore', file, '--yes'], { env: remote })
      expect((await check()).json.valid).toBe(true)
      const { file: there } = await bin.json<{ file: string }>(['backup'], { env: remote })
      expect(existsSync(join(running.place.dataDir, there))).toBe(true)
    })
  })
})
