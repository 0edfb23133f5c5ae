import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleGuard } from '../../scripts/bundle-guard.ts'
import { database } from '../support/databases.ts'
import { openWorld, type World } from './world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const compiler = join(root, 'node_modules/typescript/bin/tsc')

/** The blocks of TypeScript on a page. */
function snippetsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block)
}

function run(program: string, args: string[], cwd: string, env: Record<string, string> = {}): string {
  const clean = { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env }
  try {
    return execFileSync(program, args, { cwd, env: clean, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`)
  }
}

describe('tokenwright/guard as it is published', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-package-'))
  const consumer = join(folder, 'consumer')
  const installed = join(consumer, 'node_modules/tokenwright')
  let files: string[] = []

  beforeAll(async () => {
    const source = join(folder, 'source')
    mkdirSync(source)
    for (const file of ['package.json', 'README.md', 'LICENSE', 'mcp.json.example']) {
      copyFileSync(join(root, file), join(source, file))
    }
    await bundleGuard(join(source, 'dist/guard'))
    const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--offline'], source)
    const [{ filename, files: listed }] = JSON.parse(packed)
    files = listed.map(({ path }: { path: string }) => path)
    mkdirSync(installed, { recursive: true })
    run('tar', ['-xzf', join(source, filename), '--strip-components=1', '-C', installed], folder)
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ type: 'module' }))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is one file with its types, and needs no other package', () => {
    const guard = files.filter((file) => file.startsWith('dist/guard/'))
    expect(guard.filter((file) => !file.endsWith('.d.ts'))).toEqual(['dist/guard/index.js'])
    expect(guard).toContain('dist/guard/index.d.ts')
    expect(files.filter((file) => /^(src|test|examples)\//.test(file))).toEqual([])
    const text = readFileSync(join(installed, 'dist/guard/index.js'), 'utf8')
    const imported = [...text.matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from)
    expect(imported.sort()).toEqual(['node:crypto', 'node:net'])
    expect(text).not.toMatch(/\b(require|import)\(/)
  })

  describe('in a project that has installed it', () => {
    let world: World
    beforeAll(async () => {
      world = await openWorld(database('sqlite'))
    })
    afterAll(() => world.close())

    it('it works without any other package', async () => {
      const { id, secret } = await world.token()
      const script = `
        import { authorizer } from 'tokenwright/guard'
        import manifest from 'tokenwright/package.json' with { type: 'json' }
        const authorize = authorizer({ url: process.env.URL_, key: process.env.KEY, server: 'weather' })
        const seen = [await authorize(process.env.TOKEN), await authorize('x')]
        console.log(JSON.stringify([manifest.name, seen[0].identity.token_id, seen[1].status]))`
      writeFileSync(join(consumer, 'main.mjs'), script)
      const { execFile } = await import('node:child_process')
      const env = { PATH: process.env['PATH'] ?? '', URL_: world.url, KEY: world.key, TOKEN: secret }
      const said = await new Promise<string>((resolve, reject) => {
        execFile(process.execPath, ['main.mjs'], { cwd: consumer, env }, (error, stdout) =>
          error === null ? resolve(stdout) : reject(error),
        )
      })
      expect(JSON.parse(said)).toEqual(['tokenwright', id, 401])
    })

    it('every snippet of docs/guard.md compiles under the strictest settings, and what is wrong does not', () => {
      const snippets = snippetsOf('docs/guard.md')
      expect(snippets.length).toBeGreaterThanOrEqual(7)
      for (const scope of ['hono', 'express', '@types', '@modelcontextprotocol', 'zod']) {
        symlinkSync(join(root, 'node_modules', scope), join(consumer, 'node_modules', scope))
      }
      const wrong = `import express, { type Request } from 'express'
        import { Hono } from 'hono'
        import { expressGuard, type GuardVariables, honoGuard, identityOf, nodeGuard, type TokenIdentity } from 'tokenwright/guard'
        const good = { url: 'https://x', key: 'k', server: 's' }
        const identity: TokenIdentity = identityOf({})
        const end: Date | null = identity.expires_at
        express().use(expressGuard({ ...good, address: (request: Request) => request.ip }))
        new Hono<{ Variables: GuardVariables }>().use(honoGuard(good)).get('/', (c) => c.json(c.get('token').groups.length))
        new Hono().use('/x', honoGuard({ ...good, address: (c) => c.req.header('x-real-ip') }))
        nodeGuard(good)((request) => request.auth.clientId.length)
        // @ts-expect-error a member it has not, in Hono
        new Hono<{ Variables: GuardVariables }>().get('/', (c) => c.json(c.get('token').secret))
        // @ts-expect-error a member it has not
        identity.secret
        // @ts-expect-error what it is cannot be changed
        identity.name = 'other'
        // @ts-expect-error no server
        nodeGuard({ url: 'https://x', key: 'k' })
        // @ts-expect-error not a number
        honoGuard({ ...good, cacheMs: '1' })
        export { end }`
      const sources = [...snippets, wrong].map((text, at) => [`snippet-${at}.ts`, text] as const)
      for (const [name, text] of sources) writeFileSync(join(consumer, name), text)
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        module: 'nodenext',
        moduleResolution: 'nodenext',
        moduleDetection: 'force',
        target: 'es2023',
        types: ['node'],
        noEmit: true,
        // Types of other packages are not ours to judge; those of this one are judged by what uses them.
        skipLibCheck: true,
      }
      writeFileSync(
        join(consumer, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: sources.map(([name]) => name) }),
      )
      expect(run(process.execPath, [compiler, '-p', '.'], consumer)).toBe('')
      writeFileSync(join(consumer, 'alone.ts'), "export * from 'tokenwright/guard'")
      const alone = { compilerOptions: { ...compilerOptions, skipLibCheck: false }, files: ['alone.ts'] }
      writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify(alone))
      expect(run(process.execPath, [compiler, '-p', '.'], consumer)).toBe('')
    })
  })
})
