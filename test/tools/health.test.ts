import { sql } from 'kysely'
import { beforeEach, describe, expect, it } from 'vitest'
import { check_health } from '../../tools/system/check_health.ts'
import { databases } from '../support/databases.ts'
import { furnish } from '../support/furnished.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { plantKey, plantProject, trailOf } from '../support/world.ts'

describe.each(databases)('the health check on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  refusesOthersAndBadInput(
    () => instance,
    [{ operation: check_health, roles: ['admin', 'operator', 'reader'], good: {}, bad: [{ all: true }] }],
  )

  it(`${verifies('enkrypt:system:health:ok')} an instance in order is healthy, with what lives in it counted`, async () => {
    const { call, clock } = instance
    const empty = await call('reader', check_health, {})
    expect(empty.statistics).toEqual({
      projects: 0,
      users: 0,
      configs: 0,
      user_keys: 0,
      disabled_user_keys: 0,
      tokens: 0,
      servers: 0,
      groups: 0,
    })
    await furnish(instance)
    const rows = await trailOf(instance, async () => {
      expect(await call('reader', check_health, {})).toEqual({
        status: 'healthy',
        issues: [],
        warnings: [],
        statistics: {
          projects: 1,
          users: 3,
          configs: 2,
          user_keys: 2,
          disabled_user_keys: 1,
          tokens: 8,
          servers: 4,
          groups: 1,
        },
        timestamp: new Date(clock.now).toISOString(),
      })
    })
    expect(rows).toEqual([])
  })

  it('tells of what may be meant: nobody can administer it, projects reach nothing', async () => {
    const { call, core } = instance
    await plantProject(instance)
    await core.store.write((db) => db.updateTable('projects').set({ config_id: null }).execute())
    await core.store.write((db) => db.updateTable('tokens').set({ enabled: 0 }).execute())
    const found = await call('reader', check_health, {})
    expect(found).toMatchObject({ status: 'healthy', issues: [] })
    expect(found.warnings).toEqual([
      'No admin key works: only the command line can administer this instance.',
      '1 projects have no configuration: their tokens reach no server.',
    ])
  })

  it('a trail whose end was cut, and sealed values that were moved, are issues', async () => {
    const { call, core } = instance
    const { program } = await furnish(instance)
    const other = await plantProject(instance)
    await core.store.write(async (db) => {
      const { env } = await db
        .selectFrom('servers')
        .select('env')
        .where('id', '=', program)
        .executeTakeFirstOrThrow()
      await db.updateTable('servers').set({ env }).where('id', '=', other.server.id).execute()
      await db
        .updateTable('audit_head')
        .set((is) => ({ seq: is('seq', '+', 1) }))
        .execute()
    })
    const found = await call('reader', check_health, {})
    expect(found.status).toBe('degraded')
    expect(found.issues).toEqual([
      'The end of the trail is not where it should be; run "tokenwright audit verify".',
      'The env or headers of 1 servers do not open: they were moved or changed in the store.',
    ])
  })

  it(`${verifies('enkrypt:system:health:ok')} what cannot be read is an issue and no fault`, async () => {
    const { call, core } = instance
    await core.store.write(async (db) => {
      await sql`drop table settings`.execute(db)
      await sql`alter table groups rename to elsewhere`.execute(db)
    })
    const found = await call('reader', check_health, {})
    expect(found).toMatchObject({
      status: 'degraded',
      issues: ['The settings cannot be read.', 'The things in the store cannot be counted.'],
    })
    expect(JSON.stringify(found)).not.toMatch(/no such|does not exist|select /)
  })

  it('counts all of many tokens', async () => {
    const { call, core } = instance
    const { id } = await plantKey(instance, 'user_key')
    const row = await core.store.read
      .selectFrom('tokens')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    const many = Array.from({ length: 20_001 }, (_, n) => ({
      ...row,
      id: `mgtk_${String(n).padStart(22, '0')}`,
      secret_hash: Buffer.from(String(n).padStart(32, '0')),
      enabled: n % 2,
      revoked_at: n < 5 ? row.created_at : null,
    }))
    for (let at = 0; at < many.length; at += 200) {
      await core.store.write((db) =>
        db
          .insertInto('tokens')
          .values(many.slice(at, at + 200))
          .execute(),
      )
    }
    expect((await call('reader', check_health, {})).statistics).toMatchObject({
      user_keys: 19_997,
      disabled_user_keys: 9_998,
      tokens: 0,
    })
  })

  it('a key bound to a project is told nothing of the instance', async () => {
    const { call, actor } = instance
    const { project_id } = await plantProject(instance)
    const bound = await actor((await plantKey(instance, 'management', { role: 'admin', project_id })).secret)
    expect(await refusal(call(bound, check_health, {}))).toBe('forbidden')
  })
})
