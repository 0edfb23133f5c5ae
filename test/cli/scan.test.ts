import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeSecret } from '../../src/domain/secret.ts'
import { openServing } from '../http/serving.ts'
import { database, databases, type Place } from '../support/databases.ts'
import { leak } from '../support/world.ts'
import { type Bin, openBin, type Run } from './bin.ts'

interface Told {
  secrets: {
    prefix: string
    last4: string
    live: boolean | null
    verdict: string | null
    id: string | null
    kind: string | null
    places: { path: string; line: number | null; commit: string | null }[]
    places_total: number
    reported: string | null
  }[]
  scanned: { files: number; objects: number; bytes: number; unreadable: number }
}

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenwright-scan-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const told = ({ stdout }: Run) => JSON.parse(stdout) as Told
const offline = (...args: string[]) => bin.run(['scan', folder, '--offline', ...args])

/** A repository in the folder, without anything of this machine's configuration. */
function repository() {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' }
  const run = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], {
      env,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
  run('init', '-q', '-b', 'main')
  return {
    run,
    commit(message: string) {
      run('add', '-A')
      run('commit', '-q', '--allow-empty', '-m', message)
      return run('rev-parse', 'HEAD')
    },
  }
}

describe('scanning for secrets', () => {
  it('finds nothing in a clean folder and ends with 0', async () => {
    writeFileSync(join(folder, 'a.txt'), `mcpt_${'0'.repeat(43)}\n${makeSecret('other')}\n`)
    const done = await offline()
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(told(done)).toMatchObject({ secrets: [], scanned: { files: 1, unreadable: 0 } })
  })

  it('works without a store: names file and line, never the secret, and ends with 12', async () => {
    const [one, two] = [makeSecret('mcpt'), makeSecret('acme')]
    mkdirSync(join(folder, 'deep', 'er'), { recursive: true })
    writeFileSync(join(folder, 'deep', 'er', '.env'), `A=1\nTOKEN=${one}\nB=${two}\n`)
    const dataDir = join(folder, 'no-store')
    const done = await bin.run(['scan', join(folder, 'deep'), '--offline', '--prefix', 'acme'], {
      env: { TOKENWRIGHT_DATA_DIR: dataDir },
    })
    expect(done.code).toBe(12)
    const { secrets } = told(done)
    const path = join(folder, 'deep', 'er', '.env')
    expect(secrets).toMatchObject([
      {
        prefix: one.slice(0, 12),
        last4: one.slice(-4),
        live: null,
        places: [{ path, line: 2, commit: null }],
      },
      { prefix: two.slice(0, 12), places: [{ path, line: 3 }] },
    ])
    for (const secret of [one, two]) expect(leak(Buffer.from(done.stdout + done.stderr), secret)).toBe(-1)
    expect(() => chmodSync(dataDir, 0o700)).toThrow(/ENOENT/)
  })

  it('reads standard input, whatever the size of its one line', async () => {
    const secret = makeSecret('mcpm')
    const input = `${'x'.repeat(50 * 1024 * 1024)}${secret}${'y'.repeat(1024)}`
    const done = await bin.run(['scan', '-', '--offline'], { input })
    expect(done.code).toBe(12)
    expect(told(done).secrets).toMatchObject([{ places: [{ path: '-', line: 1 }], places_total: 1 }])
  })

  it('finds a secret across the border of two pieces of a large file, and one in a binary file', async () => {
    const [one, two] = [makeSecret('mcpt'), makeSecret('mcpt')]
    const border = 1024 * 1024
    writeFileSync(join(folder, 'large'), `${'\n'.repeat(border - 20)}${one}`)
    writeFileSync(
      join(folder, 'binary'),
      Buffer.concat([Buffer.alloc(9), randomBytes(5_000), Buffer.from(two)]),
    )
    const places = told(await offline()).secrets.map(({ places: [place] }) => [place?.path, place?.line])
    expect(places.sort()).toEqual([
      [join(folder, 'binary'), null],
      [join(folder, 'large'), border - 19],
    ])
  })

  it('follows no link below the folder, and says so if something cannot be read', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'tokenwright-outside-'))
    writeFileSync(join(outside, 'secret'), makeSecret('mcpt'))
    symlinkSync(outside, join(folder, 'folder'))
    symlinkSync(join(outside, 'secret'), join(folder, 'file'))
    symlinkSync(folder, join(folder, 'loop'))
    expect((await offline()).code).toBe(0)
    rmSync(outside, { recursive: true })
    // The owner of everything may read it all the same.
    if (process.getuid?.() === 0) return
    writeFileSync(join(folder, 'closed'), 'x', { mode: 0 })
    const done = await offline()
    expect([done.code, done.stderr]).toEqual([13, expect.stringContaining('1 things could not be read')])
  })

  it('R54: a file name neither steers the terminal nor tells a secret', async () => {
    const secret = makeSecret('mcpt')
    const named = makeSecret('mcpt')
    writeFileSync(join(folder, `\u001b[31m${named}`), secret)
    const done = await offline()
    expect(done.stdout).not.toContain('\u001b')
    for (const one of [secret, named]) expect(done.stdout).not.toContain(one)
  })

  it('refuses a path that is not there and a prefix that is none', async () => {
    expect((await bin.run(['scan', join(folder, 'none'), '--offline'])).code).toBe(5)
    expect((await offline('--prefix', 'No!')).code).toBe(2)
    expect((await offline('--prefix', 'x')).code).toBe(2)
  })

  it('prints the published patterns, and those of other prefixes', async () => {
    const { stdout } = await offline('--patterns', 'gitleaks')
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(
      createHash('sha256')
        .update(execFileSync('cat', ['docs/leaks/gitleaks.toml']))
        .digest('hex'),
    )
    expect((await offline('--patterns', 'trufflehog', '--prefix', 'acme')).stdout).toContain('- acme_')
  })
})

describe('scanning a git history', () => {
  it('finds what a later commit deleted, with the commit that brought it, on every branch and in messages and tags', async () => {
    const { run, commit } = repository()
    const [deleted, binary, branch, message, tag, staged] = Array.from({ length: 6 }, () =>
      makeSecret('mcpt'),
    )
    writeFileSync(join(folder, 'config.txt'), `a\nb\nTOKEN=${deleted}\n`)
    const brought = commit('first')
    appendFileSync(join(folder, 'config.txt'), 'more\n')
    commit('second')
    writeFileSync(
      join(folder, 'data.bin'),
      Buffer.concat([Buffer.from([0, 1, 2]), Buffer.from(binary ?? '')]),
    )
    const withBinary = commit('binary')
    run('rm', '-q', 'config.txt', 'data.bin')
    commit('clean')
    run('checkout', '-q', '-b', 'side')
    writeFileSync(join(folder, 'a b\tc.txt'), `x ${branch}`)
    const onBranch = commit('side')
    run('checkout', '-q', 'main')
    const said = commit(`oops ${message}`)
    run('tag', '-a', 'v1', '-m', `tag ${tag}`)
    writeFileSync(join(folder, 'staged.txt'), `${staged}`)
    run('add', 'staged.txt')
    rmSync(join(folder, 'staged.txt'))
    const done = await offline()
    expect(done.code).toBe(12)
    const { secrets } = told(done)
    const places = (secret = '') =>
      secrets.find(({ last4, prefix }) => secret.startsWith(prefix) && secret.endsWith(last4))?.places
    // Two versions of the file hold it.
    expect(places(deleted)).toContainEqual({ path: 'config.txt', line: 3, commit: brought })
    expect(places(deleted)).toHaveLength(2)
    expect(places(binary)).toEqual([{ path: 'data.bin', line: null, commit: withBinary }])
    expect(places(branch)).toEqual([{ path: expect.stringContaining('a b'), line: 1, commit: onBranch }])
    expect(places(message)).toEqual([{ path: '(commit message)', line: expect.any(Number), commit: said }])
    expect(places(tag)).toEqual([
      { path: '(tag message)', line: expect.any(Number), commit: expect.any(String) },
    ])
    expect(places(staged)).toEqual([{ path: 'staged.txt', line: 1, commit: null }])
    expect(secrets).toHaveLength(6)
    expect(told(await offline('--no-history')).secrets).toEqual([])
  })

  it('reads a bare repository, one without a commit, and a folder of a working copy when asked to', async () => {
    const { run, commit } = repository()
    expect((await offline()).code).toBe(0)
    const secret = makeSecret('mcpt')
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'sub', 'x'), secret)
    commit('first')
    run('rm', '-q', 'sub/x')
    commit('second')
    run('clone', '-q', '--bare', '.', 'bare.git')
    expect((await bin.run(['scan', join(folder, 'bare.git'), '--offline'])).code).toBe(12)
    mkdirSync(join(folder, 'sub'), { recursive: true })
    expect((await bin.run(['scan', join(folder, 'sub'), '--offline'])).code).toBe(0)
    expect((await bin.run(['scan', join(folder, 'sub'), '--offline', '--history'])).code).toBe(12)
  })

  it('runs nothing that the configuration of a repository names', async () => {
    const { run, commit } = repository()
    writeFileSync(join(folder, 'x'), makeSecret('mcpt'))
    writeFileSync(join(folder, '.gitattributes'), '* diff=evil filter=evil\n')
    commit('first')
    const mark = join(folder, 'ran')
    const program = join(folder, 'evil.sh')
    writeFileSync(program, `#!/bin/sh\ntouch '${mark}'\ncat\n`, { mode: 0o755 })
    for (const name of [
      'core.fsmonitor',
      'core.pager',
      'diff.external',
      'diff.evil.textconv',
      'diff.evil.command',
    ])
      run('config', name, program)
    for (const name of ['gpg.program', 'filter.evil.smudge', 'core.sshCommand', 'core.editor'])
      run('config', name, program)
    run('config', 'log.showSignature', 'true')
    expect((await offline()).code).toBe(12)
    expect(() => chmodSync(mark, 0o600)).toThrow(/ENOENT/)
  })

  it.each([
    ['a program for its address', (program: string) => `ext::${program}`, 'ext'],
    ['a program for its other end', () => folder, 'file'],
  ])(
    'R34: a repository that lacks an object fetches nothing, though its configuration allows %s',
    async (...given) => {
      const [, url, protocol] = given
      const { run, commit } = repository()
      writeFileSync(join(folder, 'x'), 'one')
      commit('first')
      const object = run('rev-parse', 'HEAD:x')
      rmSync(join(folder, '.git', 'objects', object.slice(0, 2), object.slice(2)))
      const mark = join(folder, 'ran')
      const program = join(folder, 'evil.sh')
      writeFileSync(program, `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 })
      for (const [name, value] of [
        ['core.repositoryformatversion', '1'],
        ['extensions.partialClone', 'origin'],
        ['remote.origin.promisor', 'true'],
        ['remote.origin.url', url(program)],
        ['remote.origin.uploadpack', program],
        [`protocol.${protocol}.allow`, 'always'],
      ])
        run('config', name ?? '', value ?? '')
      const done = await offline()
      expect([done.code, done.stdout]).toEqual([8, ''])
      expect(() => chmodSync(mark, 0o600)).toThrow(/ENOENT/)
    },
  )

  it('a history that cannot be read is an error, never a clean bill', async () => {
    const { commit } = repository()
    commit('first')
    writeFileSync(join(folder, '.git', 'HEAD'), 'nonsense')
    const done = await offline()
    expect([done.code, done.stdout]).toEqual([8, ''])
    expect(done.stderr).toMatch(/^tokenwright: git could not read the history/)
  })
})

describe.each(databases)('whether what was found is live, on $name', (kind) => {
  let place: Place
  beforeAll(async () => {
    place = await kind.fresh()
  })
  afterAll(() => place.remove())
  const env = (): Record<string, string> => ({
    TOKENWRIGHT_DATA_DIR: place.dataDir,
    ...(kind.name === 'postgres' ? { TOKENWRIGHT_DATABASE_URL: place.location } : {}),
  })
  const run = (args: string[], input = '') => bin.run(args, { env: env(), input })
  const make = async () => {
    const { token, delivery } = JSON.parse((await run(['create-token', '--name', 'leaky'])).stdout)
    return { id: token.id as string, secret: delivery.secret as string }
  }

  it('tells live from dead by the store, without using what it found, and reports what is live when asked', async () => {
    const [live, dead] = [await make(), await make()]
    await run(['revoke-token', '--token-id', dead.id, '--yes'])
    const unknown = makeSecret('mcpt')
    const first = await run(['scan', '-'], `${live.secret}\n${dead.secret}\n${unknown}\n`)
    expect([first.code, first.stderr]).toEqual([
      10,
      'tokenwright: 3 secrets found, 1 live. Add --report to report them as leaked.\n',
    ])
    expect(told(first).secrets).toMatchObject([
      { live: true, verdict: 'valid', id: live.id, kind: 'access' },
      { live: false, verdict: 'revoked', id: dead.id },
      { live: false, verdict: 'unknown', id: null, kind: null },
    ])
    const { token } = JSON.parse((await run(['get-token', '--token-id', live.id])).stdout)
    expect(token).toMatchObject({ use_count: 0, last_used_at: null })
    const unasked = await run(['scan', '-', '--report'], live.secret)
    expect([unasked.code, unasked.stdout]).toEqual([2, ''])
    const reported = await run(['scan', '-', '--report', '--yes'], live.secret)
    expect([reported.code, told(reported).secrets[0]?.reported]).toEqual([10, 'revoked'])
    const after = await run(['scan', '-'], `${live.secret}\n${unknown}`)
    expect([after.code, told(after).secrets.map(({ verdict }) => verdict)]).toEqual([
      11,
      ['revoked', 'unknown'],
    ])
    const { events } = JSON.parse((await run(['list-audit-events', '--action', 'report_leak'])).stdout)
    expect(events).toMatchObject([{ target_id: live.id, details: { where: '-:1', result: 'revoked' } }])
    for (const { stdout, stderr } of [first, unasked, reported, after])
      for (const secret of [live.secret, dead.secret, unknown])
        expect(leak(Buffer.from(stdout + stderr), secret)).toBe(-1)
  })

  it('looks for the prefixes of the instance, and does not tell the new secret of a rotation', async () => {
    await run(['settings', 'set', 'token_prefix', 'acme'])
    await run(['settings', 'set', 'leak_action', 'rotate'])
    const { secret } = await make()
    expect(secret).toMatch(/^acme_/)
    const done = await run(['scan', '-', '--report', '--yes'], secret)
    expect([done.code, told(done).secrets[0]?.reported]).toEqual([10, 'rotated'])
    expect(done.stdout + done.stderr).not.toMatch(/acme_[0-9A-Za-z]{30}/)
    expect((await run(['scan', '-'], secret)).code).toBe(11)
  })
})

describe('over a server', () => {
  it('a key that may read tokens is enough to ask, and one that may not is refused', async () => {
    const running = await openServing(database('sqlite'))
    try {
      const { json: made } = await running.call('create_token', { name: 'leaky' })
      const { json: validator } = await running.call('create_management_key', {
        name: 'v',
        role: 'validator',
      })
      const scan = (key: string) =>
        bin.run(['scan', '-', '--url', running.url], {
          env: { TOKENWRIGHT_KEY: key },
          input: made.delivery.secret,
        })
      const done = await scan(running.adminKey)
      expect([done.code, told(done).secrets[0]?.id]).toEqual([10, made.token.id])
      expect((await scan(validator.secret)).code).toBe(4)
      const own = await scan(made.delivery.secret)
      expect(own.code).toBe(4)
    } finally {
      await running.close()
    }
  })
})
