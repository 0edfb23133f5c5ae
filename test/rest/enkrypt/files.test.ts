import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak } from '../../support/world.ts'
import { made, openWorld, type Project, refused, type World } from './support.ts'

describe.each(databases)('files and secrets of answers on $name', (database) => {
  let world: World
  let project: Project
  let server: string
  let folder: string
  beforeAll(async () => {
    world = await openWorld(database)
    project = await world.project()
    const { server_id } = await world.server(project.config_id, { env: { A: 'value of A' } })
    server = `/configs/${project.config_id}/servers/${server_id}`
    folder = join(world.running.place.dataDir, 'exports')
  })
  afterAll(() => world.close())

  const tables = ['configs', 'servers', 'projects', 'users']
  /** Everything that names a file. */
  const writers = (name: unknown): [string, object][] => [
    [`POST /configs/${project.config_id}/export`, { output_file: name }],
    [`POST /projects/${project.project_id}/export`, { output_file: name }],
    ['POST /system/backup', { output_file: name }],
  ]
  const readers = (name: unknown): [string, object][] => [
    ['POST /configs/import', { config_name: 'read', input_file: name }],
    [`PUT ${server}/input-guardrails`, { policy_file: name }],
    [`PUT ${server}/output-guardrails`, { policy_file: name }],
    [`PUT ${server}/guardrails`, { input_policy_file: name }],
    [`PUT ${server}/guardrails`, { output_policy_file: name }],
    ['POST /system/restore', { input_file: name }],
  ]

  it(`${verifies('enkrypt:wire:file:names')} R35: no name is a path; nothing is read or written`, async () => {
    const outside = join(world.running.place.dataDir, 'outside.json')
    writeFileSync(outside, '{"enabled":true}')
    const before = [await contents(world.beside, tables), filesIn(world.running.place.dataDir)]
    const bad = [
      '',
      '.',
      '..',
      '../outside.json',
      '..\\outside.json',
      outside,
      '/etc/passwd',
      '/path/to/export.json',
      'a/b',
      'a\\b',
      './a',
      '%2e%2e',
      '%2Fetc',
      'a b',
      'ä.json',
      'a\u0000b',
      'a\n',
      '~',
      'x'.repeat(65),
      7,
      null,
      ['a.json'],
    ]
    for (const name of bad) {
      for (const [line, body] of [...writers(name), ...readers(name)]) {
        const refusal = refused(await world.admin(line, body))
        expect([line, name, ...refusal]).toEqual([line, name, 400, expect.stringMatching(/_file/)])
      }
    }
    expect([await contents(world.beside, tables), filesIn(world.running.place.dataDir)]).toEqual(before)
    for (const name of ['x'.repeat(64), '.hidden', '...', '-', '_', 'A.b-C_9', 'a..b']) {
      const [line, body] = writers(name)[0] ?? ['', {}]
      expect([name, (await world.admin(line, body)).status]).toEqual([name, 200])
      expect(existsSync(join(folder, name))).toBe(true)
    }
  })

  it(`${verifies('enkrypt:wire:file:safe')} R35: a file is private, whole, and in the place of an older one`, async () => {
    for (const [at, [line, body]] of writers('export.json').entries()) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'export.json'), 'older'.repeat(100_000), { mode: 0o644 })
      const data = await made(world.admin(line, body))
      expect(statSync(join(folder, 'export.json')).mode & 0o777).toBe(0o600)
      expect(statSync(folder).mode & 0o777).toBe(0o700)
      expect([at, JSON.parse(readFileSync(join(folder, 'export.json'), 'utf8'))]).toEqual([at, data])
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it(`${verifies('enkrypt:wire:file:safe')} R35: a link is replaced by a writer and never followed, nor is a folder that is a link`, async () => {
    const outside = join(world.running.place.dataDir, 'victim.json')
    for (const [line, body] of writers('link.json')) {
      rmSync(join(folder, 'link.json'), { force: true })
      writeFileSync(outside, 'mine')
      symlinkSync(outside, join(folder, 'link.json'))
      expect([line, (await world.admin(line, body)).status]).toEqual([line, 200])
      expect(readFileSync(outside, 'utf8')).toBe('mine')
      expect(JSON.parse(readFileSync(join(folder, 'link.json'), 'utf8'))).toBeTruthy()
    }
    const elsewhere = join(world.running.place.dataDir, 'elsewhere')
    mkdirSync(elsewhere)
    renameSync(folder, `${folder}.kept`)
    symlinkSync(elsewhere, folder)
    const [line, body] = writers('through.json')[0] ?? ['', {}]
    expect((await world.admin(line, body)).status).toBe(200)
    expect(readdirSync(elsewhere)).toEqual([])
    rmSync(folder, { recursive: true, force: true })
    renameSync(`${folder}.kept`, folder)
  })

  it(`${verifies('enkrypt:wire:file:safe')} R35: a reader takes plain files only, no links; one that is not there is 404`, async () => {
    const outside = join(world.running.place.dataDir, 'policy.json')
    writeFileSync(outside, '{"enabled":true,"policy_name":"foreign"}')
    symlinkSync(outside, join(folder, 'to-file.json'))
    symlinkSync('to-file.json', join(folder, 'to-link.json'))
    mkdirSync(join(folder, 'folder.json'))
    const before = await contents(world.beside, tables)
    for (const name of ['to-file.json', 'to-link.json', 'folder.json']) {
      for (const [line, body] of readers(name)) {
        const { status, text } = await world.admin(line, body)
        expect([line, name, status]).toEqual([line, name, 400])
        expect(text).not.toContain('foreign')
      }
    }
    for (const [line, body] of readers('nothing.json')) {
      const refusal = refused(await world.admin(line, body))
      expect([line, ...refusal]).toEqual([line, 404, expect.stringContaining('file')])
    }
    expect(await contents(world.beside, tables)).toBe(before)
    // A folder of the name of an export is in its way, and stays.
    for (const [line, body] of writers('folder.json')) {
      expect([line, refused(await world.admin(line, body))[0]]).toEqual([line, 409])
    }
    expect(statSync(join(folder, 'folder.json')).isDirectory()).toBe(true)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it(`${verifies('enkrypt:wire:header:no-store')} answers that hold a secret, and exports and backups, are not to be stored`, async () => {
    const { config_id, project_id, user_id, key } = project
    const secret = /"(new_)?api_key":"mcpt_\w{43}"/
    for (const [line, body, holds] of [
      [`POST /users/${user_id}/api-keys`, { project_id }, secret],
      ['POST /api-keys/rotate', { api_key: key.api_key_id }, secret],
      [`POST /configs/${config_id}/export`, {}, /"exported_at"/],
      [`POST /configs/${config_id}/export`, { include_secrets: true }, /value of A/],
      [`POST /projects/${project_id}/export`, { include_secrets: true }, /value of A/],
      ['POST /system/backup', {}, /"backup_version"/],
    ] as const) {
      const { status, headers, text } = await world.admin(line, body)
      expect([line, status, headers.get('cache-control')]).toEqual([
        line,
        line.endsWith('/api-keys') ? 201 : 200,
        'no-store',
      ])
      expect(text).toMatch(holds)
    }
  })

  it(`${verifies('enkrypt:wire:log:template')} R9: the access log holds the route's template and no part of a URL, so no secret of a path`, async () => {
    const { user_id, project_id } = project
    const generate = async () =>
      (await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id })))['api_key'] as string
    const secrets = await Promise.all([generate(), generate()])
    const [one = '', two = ''] = secrets
    world.running.log.length = 0
    for (const [line, as] of [
      [`GET /api-keys/${one}`, world.keys.admin],
      [`POST /api-keys/${one}/disable`, world.keys.admin],
      [`POST /api-keys/${one}/enable`, world.keys.operator],
      [`DELETE /api-keys/${one}`, world.keys.reader],
      [`DELETE /api-keys/${one}?token=${two}`, world.keys.admin],
      [`GET /api-keys/${one}`, world.keys.admin],
      [`PATCH /api-keys/${two}`, world.keys.admin],
      [`GET /nothing/${two}`, world.keys.admin],
      [`GET /configs/${two}?apikey=${two}`, world.keys.admin],
      [`GET /api-keys/${two}`, null],
    ] as const) {
      await world.as(as)(line)
    }
    const written = world.running.log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
    expect(written.map(({ method, route, status }) => `${method} ${route} ${status}`)).toEqual([
      'GET /api/v1/api-keys/:api_key 200',
      'POST /api/v1/api-keys/:api_key/disable 200',
      'POST /api/v1/api-keys/:api_key/enable 200',
      'DELETE /api/v1/api-keys/:api_key 403',
      'DELETE /api/v1/api-keys/:api_key 200',
      'GET /api/v1/api-keys/:api_key 404',
      'PATCH /api/v1/api-keys/:api_key 405',
      'GET enkrypt: unknown 404',
      'GET /api/v1/configs/:config_identifier 404',
      'GET /api/v1/api-keys/:api_key 401',
    ])
    const all = Buffer.from(world.running.log.join('\n') + (await contents(world.beside, ['audit'])))
    for (const secret of secrets) expect(leak(all, secret)).toBe(-1)
    const metrics = await world.running.send('/metrics', {
      headers: { authorization: `Bearer ${world.keys.admin}` },
    })
    expect([metrics.status, leak(Buffer.from(metrics.text), one)]).toEqual([200, -1])
  })
})

/** Names of all files in a folder and below, but for those of the database. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => !/tokenwright\.db/.test(name))
    .sort()
}
