import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { leak, trailAfter, trailOf } from '../../support/world.ts'
import { unchanged } from './state.ts'
import {
  type Data,
  forbidden,
  isoTime,
  made,
  openWorld,
  type Project,
  refused,
  told,
  unauthorized,
  type World,
} from './support.ts'

const value = 'the value of a variable'
const day = 86_400_000

describe.each(databases)('the system routes of the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeEach(async () => {
    world = await openWorld(database)
    return () => world.close()
  })

  const exports = (name: string) => join(world.running.place.dataDir, 'exports', name)
  const files = () => (existsSync(exports('')) ? readdirSync(exports('')) : [])
  const backup = async (body?: object) => made(world.admin('POST /system/backup', body))
  const restore = (body: unknown, as = world.admin) => as('POST /system/restore', body)
  const opens = async (secret: string, at = world) => (await at.as(secret)('GET /configs')).status
  const dead = async (secret: string) =>
    expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)
  const generate = async ({ user_id, project_id }: Project) =>
    (await made(world.operator(`POST /users/${user_id}/api-keys`, { project_id }))) as Project['key']
  /** Everything the dialect shows, as it shows it. */
  const shown = async (at: World) => {
    const [configs, projects, users, keys] = await Promise.all(
      ['configs', 'projects', 'users', 'api-keys'].map((path) => made(at.admin(`GET /${path}`))),
    )
    const full = await Promise.all(
      (configs as Data[]).map((one) => made(at.admin(`GET /configs/${one['mcp_config_id']}`))),
    )
    const members = await Promise.all(
      (projects as Data[]).map((one) => made(at.admin(`GET /projects/${one['project_id']}`))),
    )
    const unused = (keys as Data[]).map((one) => ({ ...one, last_used_at: null }))
    return { configs, projects, users, keys: unused, full, members }
  }
  /** A project with a server whose value is hidden, and both policies set. */
  async function furnished(): Promise<Project> {
    const project = await world.project()
    await world.server(project.config_id, {
      server_name: 'github',
      args: ['-y', 'x'],
      env: { TOKEN: value },
      tools: { search: {} },
      description: 'd',
      input_guardrails_policy: { enabled: true, policy_name: 'in', block: ['pii'] },
      output_guardrails_policy: { enabled: true, policy_name: 'out', block: ['secrets'] },
    })
    return project
  }
  const envOf = async (at: World, config: string) =>
    (await made(at.admin(`POST /configs/${config}/export`, { include_secrets: true })))['config']
      .mcp_config[0].config.env

  it(`${verifies('enkrypt:system:health:ok')} health has right counts after every change, and tells issues with 200`, async () => {
    const health = async (as = world.reader) => told(await as('GET /system/health'))
    expect(await health()).toEqual({
      message: 'System health check completed',
      data: {
        status: 'healthy',
        issues: [],
        warnings: [],
        statistics: {
          total_projects: 0,
          total_users: 0,
          total_configs: 0,
          total_api_keys: 0,
          disabled_api_keys: 0,
        },
        timestamp: new Date(world.running.clock.now).toISOString(),
      },
    })
    const { config_id, key, user_id } = await furnished()
    const second = await world.project()
    await generate(second)
    await world.config()
    await world.user()
    await world.op('create_token', { name: 'no user key', owner_id: user_id })
    await made(world.operator(`POST /api-keys/${key.api_key_id}/disable`))
    const counts = {
      total_projects: 2,
      total_users: 3,
      total_configs: 3,
      total_api_keys: 3,
      disabled_api_keys: 1,
    }
    for (const as of [world.admin, world.operator, world.reader])
      expect((await health(as)).data['statistics']).toEqual(counts)
    await made(world.operator(`DELETE /api-keys/${key.api_key_id}`))
    await made(world.admin(`DELETE /projects/${second.project_id}`))
    expect((await health()).data['statistics']).toEqual({
      ...counts,
      total_projects: 1,
      total_api_keys: 0,
      disabled_api_keys: 0,
    })
    // A value that was moved to another server in the store does not open.
    await world.beside.core.store.write((db) =>
      db
        .updateTable('servers')
        .set({ env: Buffer.alloc(40, 7) })
        .where('config_id', '=', config_id)
        .execute(),
    )
    const broken = await health()
    expect(broken.data).toMatchObject({ status: 'degraded', issues: [expect.stringContaining('env')] })
    for (const as of [
      world.as(world.keys.validator),
      world.as((await generate(await world.project())).api_key),
    ])
      expect(refused(await as('GET /system/health'))).toEqual(forbidden)
  })

  it(`${verifies('enkrypt:system:backup:inline')} R2, R5: a backup is answered, and with output_file is in that file too; digests only, values sealed`, async () => {
    const { key } = await furnished()
    const answer = await world.admin('POST /system/backup')
    const { message, data } = told(answer)
    expect([answer.status, message]).toEqual([200, 'System backup completed successfully'])
    expect(data).toMatchObject({ backup_version: 1, created_at: expect.stringMatching(isoTime) })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(files()).toEqual([])
    const filed = await backup({ output_file: 'backup.json' })
    expect(JSON.parse(readFileSync(exports('backup.json'), 'utf8'))).toEqual(filed)
    expect(statSync(exports('backup.json')).mode & 0o777).toBe(0o600)
    // Another one of that name takes its place.
    world.running.clock.pass(1_000)
    const again = await backup({ output_file: 'backup.json' })
    expect(again['created_at']).not.toBe(filed['created_at'])
    expect(JSON.parse(readFileSync(exports('backup.json'), 'utf8'))).toEqual(again)
    expect(files()).toEqual(['backup.json'])
    const master = readFileSync(join(world.running.place.dataDir, 'secret.key'), 'utf8').trim()
    for (const secret of [key.api_key, ...Object.values(world.keys), master, value])
      expect(leak(Buffer.from(answer.text), secret)).toBe(-1)
    for (const output_file of [
      '/tmp/backup.json',
      '../backup.json',
      'a/b',
      '.',
      '..',
      '',
      'x'.repeat(65),
      5,
      null,
    ])
      expect([output_file, refused(await world.admin('POST /system/backup', { output_file }))[0]]).toEqual([
        output_file,
        400,
      ])
    for (const as of [world.operator, world.reader])
      expect(refused(await as('POST /system/backup'))).toEqual(forbidden)
    expect(files()).toEqual(['backup.json'])
  })

  it(`${verifies('enkrypt:system:restore:ok')} a restore brings all back as it was, from the answer or from the file, and what was made since is gone`, async () => {
    const first = await furnished()
    const off = await generate(first)
    await made(world.operator(`POST /api-keys/${off.api_key_id}/disable`))
    const before = await shown(world)
    const data = await backup({ output_file: 'kept.json' })
    for (const source of [{ data }, { input_file: 'kept.json' }]) {
      world.running.clock.pass(day)
      const since = await furnished()
      await made(world.operator(`POST /api-keys/${off.api_key_id}/enable`))
      await made(world.operator(`POST /api-keys/${first.key.api_key_id}/disable`))
      await made(world.admin(`PUT /configs/${first.config_id}/rename`, { new_name: 'Renamed since' }))
      await made(world.admin(`PUT /users/${first.user_id}`, { new_email: 'moved@example.com' }))
      await made(world.admin(`DELETE /configs/${first.config_id}/servers`))
      await made(world.admin(`POST /projects/${first.project_id}/unassign-config`))
      const answer = await restore(source)
      expect([answer.status, answer.json]).toEqual([
        200,
        {
          message: 'System restore completed successfully',
          data: { users: 1, projects: 1, configs: 1, api_keys: 2 },
        },
      ])
      expect(await shown(world)).toEqual(before)
      expect(await envOf(world, first.config_id)).toEqual({ TOKEN: value })
      expect(await opens(first.key.api_key)).toBe(200)
      expect([await opens(off.api_key), await opens(since.key.api_key)]).toEqual([401, 401])
      // Enabled again it works with the secret it had.
      await made(world.operator(`POST /api-keys/${off.api_key_id}/enable`))
      expect(await opens(off.api_key)).toBe(200)
      await made(world.operator(`POST /api-keys/${off.api_key_id}/disable`))
    }
    // Names that are free again can be taken, and new ids do not meet old ones.
    const next = await furnished()
    expect(await opens(next.key.api_key)).toBe(200)
  })

  it(`${verifies('enkrypt:system:restore:dead-stay-dead')} R57: whatever ended a secret after the backup keeps it dead, also with a reset in between`, async () => {
    const projects = await Promise.all(Array.from({ length: 8 }, furnished))
    const [deleted, rotated, graced, all, member, user, password, untouched] = projects as [
      Project,
      Project,
      Project,
      Project,
      Project,
      Project,
      Project,
      Project,
    ]
    const gone = await furnished()
    const elsewhere = await world.op('create_token', { name: 'by another face' })
    const key = await world.op('create_management_key', { name: 'a key', role: 'operator' })
    await backup({ output_file: 'before.json' })
    await made(world.operator(`DELETE /api-keys/${deleted.key.api_key_id}`))
    const turned = await made(world.operator('POST /api-keys/rotate', { api_key: rotated.key.api_key }))
    const slow = await made(
      world.operator('POST /api-keys/rotate', { api_key: graced.key.api_key, grace_seconds: 86_400 }),
    )
    await made(world.operator(`DELETE /users/${all.user_id}/api-keys`))
    await made(world.admin(`DELETE /projects/${member.project_id}/users/${member.user_id}`))
    await made(world.admin(`DELETE /users/${user.user_id}`, { force: true }))
    await made(
      world.admin(`POST /users/${password.user_id}/reset-password`, { new_password: 'a new password' }),
    )
    await made(world.admin(`DELETE /projects/${gone.project_id}`))
    await world.op('revoke_token', { token_id: elsewhere['token'].id })
    await world.op('revoke_management_key', { key_id: key['key'].id })
    const ended = [
      ...[deleted, rotated, graced, all, member, user, password, gone].map((one) => one.key.api_key),
      elsewhere['delivery'].secret,
      key['secret'],
      // Made after the backup, so not in it.
      turned['api_key'],
      slow['api_key'],
    ]
    const isAfterRestore = async () => {
      for (const secret of ended) await dead(secret)
      expect(await opens(untouched.key.api_key)).toBe(200)
      const ids = ((await made(world.admin('GET /api-keys'))) as unknown as Data[]).map(
        (one) => one['api_key_id'],
      )
      expect(ids).toEqual([untouched.key.api_key_id])
    }
    const first = await restore({ input_file: 'before.json' })
    expect(told(first).data).toEqual({ users: 9, projects: 9, configs: 9, api_keys: 1 })
    await isAfterRestore()
    const recorded = () =>
      world.beside.core.store.read
        .selectFrom('revocations')
        .select('token_hash')
        .orderBy('token_hash')
        .execute()
    const kept = await recorded()
    expect(kept.length).toBeGreaterThanOrEqual(10)
    await made(world.admin('POST /system/reset', { confirm: true }))
    expect(await recorded()).toEqual(kept)
    await dead(untouched.key.api_key)
    for (const secret of ended) await dead(secret)
    expect((await restore({ input_file: 'before.json' })).status).toBe(200)
    expect(await recorded()).toEqual(kept)
    await isAfterRestore()
    // What a reset ended is no revocation; what is revoked between two restores is.
    await made(world.admin(`DELETE /api-keys/${untouched.key.api_key_id}`))
    expect((await restore({ input_file: 'before.json' })).status).toBe(200)
    await dead(untouched.key.api_key)
  })

  it(`${verifies('enkrypt:system:restore:caller-survives')} R15: the calling key works afterwards, made before or after the backup; the trail is kept and gains an entry`, async () => {
    const { key } = await furnished()
    const data = await backup()
    const late = await world.op('create_management_key', { name: 'late', role: 'admin' })
    const other = await world.op('create_management_key', { name: 'other', role: 'admin' })
    const before = await trailAfter(world.beside, 0)
    for (const secret of [late['secret'], world.keys.admin]) {
      const rows = await trailOf(world.beside, async () => {
        expect((await restore({ data }, world.as(secret))).status).toBe(200)
      })
      expect(rows).toMatchObject([{ action: 'restore_backup', outcome: 'ok', via: 'enkrypt' }])
      expect(await opens(secret)).toBe(200)
      await dead(other['secret'])
      expect(await opens(key.api_key)).toBe(200)
      expect((await trailAfter(world.beside, 0)).slice(0, before.length)).toEqual(before)
    }
    expect(await opens(world.keys.operator)).toBe(200)
    expect(await world.op('verify_audit', {})).toMatchObject({ ok: true })
  })

  it(`${verifies('enkrypt:system:restore:refused')} a missing file is 404; no backup, an edited one, both sources or neither 400; a link is not read; nothing changes`, async () => {
    await furnished()
    const data = await backup({ output_file: 'good.json' })
    writeFileSync(exports('text.json'), 'no json')
    writeFileSync(exports('list.json'), '[]')
    writeFileSync(exports('half.json'), JSON.stringify(data).slice(0, -20))
    symlinkSync(exports('good.json'), exports('link.json'))
    symlinkSync('/etc/passwd', exports('away.json'))
    const edited = JSON.parse(JSON.stringify(data))
    edited.created_at = '2026-01-01T00:00:00.000Z'
    const row = JSON.parse(JSON.stringify(data))
    row.tables.users.rows.pop()
    await furnished()
    await unchanged(world.beside, async () => {
      for (const input_file of ['none.json', 'link.json', 'away.json']) {
        const answer = refused(await restore({ input_file }))
        expect([input_file, answer[0]]).toEqual([
          input_file,
          input_file === 'none.json' ? 404 : expect.any(Number),
        ])
        expect(answer[1]).not.toContain(world.running.place.dataDir)
        expect([400, 404]).toContain(answer[0])
      }
      for (const body of [
        undefined,
        {},
        { data, input_file: 'good.json' },
        { data: {} },
        { data: null },
        { data: [] },
        { data: 'text' },
        { data: edited },
        { data: row },
        { data: { ...data, extra: 1 } },
        { data: { ...data, checksum: undefined } },
        { data: { ...data, backup_version: 2 } },
        { data: { message: 'System backup completed successfully', data } },
        { input_file: 'text.json' },
        { input_file: 'list.json' },
        { input_file: 'half.json' },
        { input_file: '../exports/good.json' },
        { input_file: exports('good.json') },
        { input_file: '' },
        { file: 'good.json' },
        '{',
      ])
        expect([JSON.stringify(body)?.slice(0, 60), refused(await restore(body))[0]]).toEqual([
          JSON.stringify(body)?.slice(0, 60),
          400,
        ])
      for (const as of [world.operator, world.reader])
        for (const body of [{ input_file: 'good.json' }, '{broken'])
          expect(refused(await restore(body, as))).toEqual(forbidden)
    })
  })

  it(`${verifies('enkrypt:system:restore:other-instance')} a fresh instance under the same master secret restores it, values included, on either store; any other is 409 and unchanged`, async () => {
    const project = await furnished()
    const data = await backup()
    const before = await shown(world)
    for (const other of databases) {
      const sibling = await openWorld(underMasterOf(world, other))
      const stranger = await openWorld(other)
      try {
        const answer = await sibling.admin('POST /system/restore', { data })
        expect([other.name, answer.status, answer.json.data]).toEqual([
          other.name,
          200,
          { users: 1, projects: 1, configs: 1, api_keys: 1 },
        ])
        expect(await shown(sibling)).toEqual(before)
        expect(await envOf(sibling, project.config_id)).toEqual({ TOKEN: value })
        expect(await opens(project.key.api_key, sibling)).toBe(200)
        await unchanged(stranger.beside, async () => {
          expect(refused(await stranger.admin('POST /system/restore', { data }))).toEqual([
            409,
            expect.stringMatching(/master key/),
          ])
        })
      } finally {
        await sibling.close()
        await stranger.close()
      }
    }
  })

  it(`${verifies('enkrypt:system:reset:confirm')} only the boolean true confirms`, async () => {
    await furnished()
    await unchanged(world.beside, async () => {
      for (const body of [
        undefined,
        {},
        { confirm: false },
        { confirm: 'true' },
        { confirm: 1 },
        { confirm: null },
        { confirm: [true] },
        { confirm: true, force: true },
        true,
      ])
        expect([body, refused(await world.admin('POST /system/reset', body))[0]]).toEqual([body, 400])
      for (const as of [world.operator, world.reader])
        expect(refused(await as('POST /system/reset', { confirm: true }))).toEqual(forbidden)
    })
    expect(files()).toEqual([])
  })

  it(`${verifies('enkrypt:system:reset:effect', 'enkrypt:system:reset:snapshot')} a reset leaves the calling key and the trail, plants nothing, and its snapshot brings the keys back`, async () => {
    const project = await furnished()
    const token = await world.op('create_token', { name: 'plain' })
    await world.op('create_group', { name: 'a group' })
    await world.op('create_server', { name: 'loose' })
    const before = await shown(world)
    const trail = await trailAfter(world.beside, 0)
    const answer = await world.admin('POST /system/reset', { confirm: true })
    const { message, data } = told(answer)
    expect([answer.status, message, Object.keys(data)]).toEqual([
      200,
      'System reset completed successfully',
      ['snapshot_file'],
    ])
    expect(await shown(world)).toEqual({
      configs: [],
      projects: [],
      users: [],
      keys: [],
      full: [],
      members: [],
    })
    for (const [name, member] of [
      ['list_servers', 'servers'],
      ['list_groups', 'groups'],
      ['list_magic_tokens', 'tokens'],
    ] as const)
      expect((await world.op(name, {}))[member]).toEqual([])
    const keys = (await world.op('list_management_keys', {}))['keys'] as Data[]
    expect(keys.map((one) => one['prefix'])).toEqual([world.keys.admin.slice(0, 12)])
    for (const secret of [
      world.keys.operator,
      world.keys.reader,
      world.keys.validator,
      project.key.api_key,
      token['delivery'].secret,
    ])
      await dead(secret)
    const after = await trailAfter(world.beside, 0)
    expect(after.slice(0, trail.length)).toEqual(trail)
    expect(after.slice(trail.length)).toMatchObject([{ action: 'reset_system', outcome: 'ok' }])
    expect(files()).toEqual([data['snapshot_file']])
    expect(statSync(exports(data['snapshot_file'])).mode & 0o777).toBe(0o600)
    expect(leak(readFileSync(exports(data['snapshot_file'])), project.key.api_key)).toBe(-1)
    expect((await restore({ input_file: data['snapshot_file'] })).status).toBe(200)
    expect(await shown(world)).toEqual(before)
    for (const secret of [...Object.values(world.keys), project.key.api_key])
      expect((await world.as(secret)('GET /configs')).status).toBe(
        secret === world.keys.validator ? 403 : 200,
      )
    expect((await world.op('validate_token', { token: token['delivery'].secret }))['verdict']).toBe('valid')
  })
})

/** A fresh store whose instance runs with the master secret of this one. */
function underMasterOf({ running }: World, database: Database): Database {
  return {
    name: database.name,
    async fresh() {
      const place = await database.fresh()
      copyFileSync(join(running.place.dataDir, 'secret.key'), join(place.dataDir, 'secret.key'))
      return place
    },
  }
}
