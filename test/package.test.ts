import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../scripts/bundle.ts'
import { bundleGuard } from '../scripts/bundle-guard.ts'
import { pageFiles } from '../src/web/page-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const beside = ['LICENSE', 'README.md', 'mcp.json.example', 'package.json']
/** What lies about in a checkout that was worked in, and must stay there. */
const strays = [
  '.env',
  '.npmrc',
  'secret.key',
  'admin.key',
  'tokenwright.db',
  'exports/backup.json',
  'src/main.ts',
  'test/a.test.ts',
  'bench/RESULTS.md',
]

interface Packed {
  path: string
  mode: number
}

describe('the package as it is published', () => {
  const source = mkdtempSync(join(tmpdir(), 'tokenwright-pack-'))
  let files: Packed[] = []
  beforeAll(async () => {
    for (const file of beside) copyFileSync(join(root, file), join(source, file))
    for (const file of strays) {
      mkdirSync(join(source, file, '..'), { recursive: true })
      writeFileSync(join(source, file), 'stray')
    }
    await bundle(join(source, 'dist'))
    await bundleGuard(join(source, 'dist/guard'))
    const args = ['pack', '--dry-run', '--ignore-scripts', '--json', '--offline']
    const env = { PATH: process.env['PATH'] ?? '', HOME: source }
    files = JSON.parse(execFileSync('npm', args, { cwd: source, env, encoding: 'utf8', stdio: 'pipe' }))[0]
      .files
  }, 120_000)
  afterAll(() => rmSync(source, { recursive: true, force: true }))

  const pathsIn = (folder: string) =>
    files.flatMap(({ path }) => (path.startsWith(folder) ? [path.slice(folder.length)] : []))

  it('R52: holds the program, the guard, the pages, the documentation and the licence, and nothing else', () => {
    const others = files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'))
    expect(others.sort()).toEqual(beside)
    const folders = new Set(pathsIn('dist/').map((path) => path.replace(/\/.*/, '/')))
    expect([...folders].sort()).toEqual(['chunks/', 'guard/', 'main.js', 'pages/'])
    const chunks = pathsIn('dist/chunks/')
    expect(chunks.filter((path) => !/^[a-z0-9-]+-[A-Z0-9]{8}\.js$/.test(path))).toEqual(['re2js.cjs'])
    const guard = pathsIn('dist/guard/').filter((path) => !/^[a-z-]+\.d\.ts$/.test(path))
    expect(guard).toEqual(['index.js'])
    const pages = pathsIn('dist/pages/').filter((path) => !/\.(LICENSE|NOTICE)\.txt$/.test(path))
    expect(pages.sort()).toEqual(Object.keys(pageFiles).sort())
  })

  it('R52: nothing in it is a test, a map of sources, a secret, or a trace of the machine that built it', () => {
    const names = files.map(({ path }) => path)
    expect(names.filter((path) => /\.map$|test|\.env|\.(key|db|pem)$/.test(path))).toEqual([])
    for (const path of names) {
      const text = readFileSync(join(source, path), 'utf8')
      const found = [root, source].filter((place) => text.includes(place))
      expect([path, found]).toEqual([path, []])
      expect(text.search(/\bmcp[tm]_[0-9A-Za-z]{43}\b|-----BEGIN [A-Z ]*PRIVATE KEY/), path).toBe(-1)
      if (!path.startsWith('dist/pages/')) expect(text.includes('sourceMappingURL=data:'), path).toBe(false)
    }
  })

  it('R52: the program may be executed, and every file package.json names is in it', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const names = files.map(({ path }) => path)
    const { './guard': guard, ...others } = manifest.exports
    const named = [manifest.bin.tokenwright, ...Object.values(guard), ...Object.values(others)] as string[]
    expect(named.map((path) => path.replace(/^\.\//, '')).filter((path) => !names.includes(path))).toEqual([])
    const program = files.find(({ path }) => path === manifest.bin.tokenwright)
    expect((program?.mode ?? 0) & 0o111).toBe(0o111)
  })
})
