import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { exportDigest, fileName, readExport, writeExport } from '../../src/core/exports.ts'
import { refusal, refusalError } from '../support/instance.ts'

describe('files of the exports folder', () => {
  let root: string
  let exports: string
  let elsewhere: string
  const host = () => ({ dataDir: join(root, 'data'), revealBase: async () => null, warn: () => undefined })
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
    exports = join(root, 'data', 'exports')
    elsewhere = join(root, 'elsewhere.json')
    mkdirSync(join(root, 'data'))
    writeFileSync(elsewhere, '{"foreign":true}')
    const mask = process.umask(0)
    return () => {
      process.umask(mask)
      rmSync(root, { recursive: true, force: true })
    }
  })

  it.each([
    '../x',
    '/etc/passwd',
    'a/b',
    'a\\b',
    '.',
    '..',
    '%2e%2e',
    'a\0b',
    'x'.repeat(65),
    '',
    'a b',
    'ü',
    'a\n',
    'C:x',
    '~',
  ])('R35: %j is no name of a file', (name) => {
    expect(fileName.safeParse(name).success).toBe(false)
  })

  it.each(['a', 'backup-2026.json', '...', '.hidden', '-rf', 'x'.repeat(64)])(
    'R35: %j is one, and stays inside of the folder',
    async (name) => {
      expect(fileName.parse(name)).toBe(name)
      await writeExport(host(), name, '{"a":1}')
      expect(readdirSync(exports)).toEqual([name])
      expect(await readExport(host(), name)).toEqual({ a: 1 })
    },
  )

  it('R4: folder and file are private whatever the umask, also where they were open to all', async () => {
    mkdirSync(exports, { mode: 0o777 })
    writeFileSync(join(exports, 'old.json'), 'old', { mode: 0o666 })
    await writeExport(host(), 'old.json', '{}')
    expect(statSync(exports).mode & 0o777).toBe(0o700)
    expect(statSync(join(exports, 'old.json')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(exports, 'old.json'), 'utf8')).toBe('{}')
  })

  it('R4: a failed write leaves nothing behind, and the older file as it was', async () => {
    await writeExport(host(), 'kept.json', '{"old":true}')
    async function* broken() {
      yield '{"new":'
      throw new Error('the source broke off')
    }
    for (const name of ['kept.json', 'new.json'])
      await expect(writeExport(host(), name, broken())).rejects.toThrow('broke off')
    expect(readdirSync(exports)).toEqual(['kept.json'])
    expect(readFileSync(join(exports, 'kept.json'), 'utf8')).toBe('{"old":true}')
    mkdirSync(join(exports, 'folder'))
    expect(await refusal(writeExport(host(), 'folder', '{}'))).toBe('conflict')
    expect(readdirSync(exports).sort()).toEqual(['folder', 'kept.json'])
  })

  it('R35: a link in the folder is not read through, whether it leads to a file, a folder or nowhere', async () => {
    await writeExport(host(), 'real.json', '{}')
    symlinkSync(elsewhere, join(exports, 'file.json'))
    symlinkSync(join(exports, 'real.json'), join(exports, 'inside.json'))
    symlinkSync(root, join(exports, 'folder'))
    symlinkSync(join(root, 'nowhere'), join(exports, 'nowhere.json'))
    for (const name of ['file.json', 'inside.json', 'folder', 'nowhere.json']) {
      const refused = await refusalError(readExport(host(), name))
      expect([name, refused.code]).toEqual([name, 'invalid_input'])
      expect(refused.message).not.toContain(root)
    }
  })

  it('R35: a link in the folder is replaced by a write, and what it led to stays as it was', async () => {
    await writeExport(host(), 'real.json', '{}')
    for (const [name, target] of [
      ['file.json', elsewhere],
      ['nowhere.json', join(root, 'nowhere')],
      ['folder', root],
    ] as const) {
      symlinkSync(target, join(exports, name))
      await writeExport(host(), name, '{"ours":true}')
      expect(lstatSync(join(exports, name)).isFile()).toBe(true)
    }
    expect(readFileSync(elsewhere, 'utf8')).toBe('{"foreign":true}')
    expect(readdirSync(root).sort()).toEqual(['data', 'elsewhere.json'])
  })

  it('R35: a folder that is a link elsewhere is neither read nor written through', async () => {
    const foreign = join(root, 'foreign')
    mkdirSync(foreign)
    writeFileSync(join(foreign, 'a.json'), '{"foreign":true}')
    symlinkSync(foreign, exports)
    expect(await refusal(readExport(host(), 'a.json'))).toBe('invalid_input')
    await writeExport(host(), 'b.json', '{}')
    expect(lstatSync(exports).isDirectory()).toBe(true)
    expect(readdirSync(foreign)).toEqual(['a.json'])
  })

  it('reads what is a plain file of JSON, of bounded size and depth, and nothing else', async () => {
    expect(await refusal(readExport(host(), 'none.json'))).toBe('not_found')
    await writeExport(host(), 'a.json', '{}')
    expect(await refusal(readExport(host(), 'none.json'))).toBe('not_found')
    mkdirSync(join(exports, 'folder'))
    expect(await refusal(readExport(host(), 'folder'))).toBe('invalid_input')
    for (const text of ['', '{', 'text', '{"a":1}}', '['.repeat(33) + ']'.repeat(33)]) {
      await writeExport(host(), 'a.json', text)
      expect([text, await refusal(readExport(host(), 'a.json'))]).toEqual([text, 'invalid_input'])
    }
    writeFileSync(join(exports, 'a.json'), Buffer.from([0x22, 0xff, 0xfe, 0x22]))
    expect(await refusal(readExport(host(), 'a.json'))).toBe('invalid_input')
    await writeExport(host(), 'a.json', `"${'x'.repeat(98)}"`)
    expect(await readExport(host(), 'a.json', 'input_file', 100)).toHaveLength(98)
    expect(await refusal(readExport(host(), 'a.json', 'input_file', 99))).toBe('too_large')
    truncateSync(join(exports, 'a.json'), 16 * 1024 * 1024 + 1)
    expect(await refusal(readExport(host(), 'a.json'))).toBe('too_large')
  })

  it('a file has a digest of its own, by the same rules', async () => {
    await writeExport(host(), 'a.json', '{}')
    await writeExport(host(), 'b.json', '{ }')
    symlinkSync(elsewhere, join(exports, 'link.json'))
    const digest = await exportDigest(host(), 'a.json')
    expect(digest).toMatch(/^44136fa355b3678a/)
    expect(await exportDigest(host(), 'b.json')).not.toBe(digest)
    expect(await refusal(exportDigest(host(), 'link.json'))).toBe('invalid_input')
  })
})
