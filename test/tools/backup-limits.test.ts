import { beforeEach, describe, expect, it } from 'vitest'
import { type BackupHead, startChecksum } from '../../src/domain/backup.ts'
import { type BackupTable, backupTableNames, formOf } from '../../src/domain/backup-tables.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { reset_system } from '../../tools/system/reset_system.ts'
import { restore_backup } from '../../tools/system/restore_backup.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases } from '../support/databases.ts'
import { backedUp, furnish, openSibling } from '../support/furnished.ts'
import { type Instance, openInstance, refusalError } from '../support/instance.ts'
import { makeToken } from '../support/world.ts'

/** A backup as a document that can be edited. */
type Data = BackupHead & {
  tables: Record<string, { columns: string[]; rows: unknown[][] }>
  checksum: string
}

describe.each(databases)('limits in a backup on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  const backup = async (): Promise<Data> => (await instance.call('admin', create_backup, {})).backup as never
  const restore = (data: Data, where = instance) => where.call('admin', restore_backup, { data })
  const use = async (secret: string, times = 1, { core } = instance) => {
    const seen: string[] = []
    for (let n = 0; n < times; n++)
      seen.push((await core.verifier.verify(secret, {}, { count: true })).verdict)
    return seen
  }
  const usage = async (token_id: string) =>
    (await instance.call('reader', get_token, { token_id })).token.usage

  it('R57: no restore gives uses back: what was counted since stays counted, and a limit that was reached is reached', async () => {
    const window = await makeToken(instance, { access: { limits: { requests: 5, per_seconds: 86_400 } } })
    const ever = await makeToken(instance, { access: { limits: { max_uses: 5 } } })
    const fresh = await makeToken(instance, { access: { limits: { max_uses: 1 } } })
    for (const { secret } of [window, ever]) await use(secret, 2)
    const data = await backup()
    for (const { secret } of [window, ever]) await use(secret, 2)
    await use(fresh.secret)
    await restore(data)
    for (const { id } of [window, ever]) expect((await usage(id))?.uses).toBe(4)
    for (const { secret } of [window, ever]) expect(await use(secret, 2)).toEqual(['valid', 'limit_reached'])
    expect(await use(fresh.secret)).toEqual(['limit_reached'])
  })

  it('R57: not even with a reset, or the restore of a backup without the token, in between', async () => {
    const without = await backup()
    const { id, secret } = await makeToken(instance, { access: { limits: { max_uses: 3 } } })
    await use(secret)
    const data = await backup()
    await use(secret)
    await instance.call('admin', reset_system, { confirm: true })
    expect(await use(secret)).toEqual(['unknown'])
    await restore(data)
    expect((await usage(id))?.uses).toBe(2)
    await restore(without)
    await restore(data)
    expect(await use(secret, 2)).toEqual(['valid', 'limit_reached'])
  })

  it('limits, what is counted and the uses of each secret come back in another instance', async () => {
    const { id, secret } = await makeToken(instance, {
      access: { limits: { requests: 9, per_seconds: 86_400, max_uses: 3 } },
    })
    await use(secret, 2)
    await instance.core.uses.flush()
    const { token } = await instance.call('reader', get_token, { token_id: id })
    expect(token.generations).toMatchObject([{ generation: 1, use_count: 2 }])
    const sibling = await openSibling(database, instance)
    await restore(await backup(), sibling)
    expect((await sibling.call('reader', get_token, { token_id: id })).token).toEqual(token)
    expect(await use(secret, 2, sibling)).toEqual(['valid', 'limit_reached'])
    await sibling.close()
  })

  it('of the window it was counted in, the later stands; within one the higher count', async () => {
    const { id, secret } = await makeToken(instance, { access: { limits: { requests: 9, per_seconds: 60 } } })
    const length = 60_000
    instance.clock.now = (Math.floor(instance.clock.now / length) + 1) * length
    await use(secret, 5)
    const data = await backup()
    instance.clock.pass(length)
    await use(secret, 2)
    const later = await backup()
    await restore(data)
    expect(await usage(id)).toMatchObject({ window_count: 2, uses: 7 })
    await use(secret)
    await restore(later)
    expect(await usage(id)).toMatchObject({ window_count: 3, uses: 8 })
    const sibling = await openSibling(database, instance)
    for (const some of [data, later]) await restore(some, sibling)
    const { token } = await sibling.call('reader', get_token, { token_id: id })
    expect(token.usage).toMatchObject({ uses: 7 })
    await sibling.close()
  })

  it('the uses of the calling key stay as they are now, whatever the backup says', async () => {
    const admin = await instance.actor(instance.adminKey)
    const id = 'id' in admin ? String(admin.id) : ''
    await instance.core.uses.flush()
    const data = await backup()
    await instance.core.verifier.verify(instance.adminKey, {}, { management: true })
    await instance.core.uses.flush()
    await instance.call(admin, restore_backup, { data })
    const rows = await instance.core.store.read
      .selectFrom('token_uses')
      .selectAll()
      .where('token_id', '=', id)
      .execute()
    expect(rows).toMatchObject([{ generation: 1, use_count: 2 }])
  })

  describe('that was made by an earlier version', () => {
    /** The backup as the first version wrote it: without the tables and the columns that came later. */
    const first = (data: Data): Data =>
      as(data, (name) => (formOf(name).addition === true ? undefined : (formOf(name).added ?? [])))

    /** As the version with limits wrote it. */
    const second = (data: Data): Data =>
      as(data, (name) =>
        (formOf(name).added ?? []).filter((column) => ['leaked_at', 'policy'].includes(column)),
      )

    /** The backup without these columns, and without the tables that have none left. */
    const as = (data: Data, without: (name: BackupTable) => readonly string[] | undefined): Data => {
      const { tables, checksum: _, ...head } = structuredClone(data)
      const sum = startChecksum(instance.core.keys.backup, head)
      const old: Data['tables'] = {}
      for (const name of backupTableNames) {
        const left = without(name)
        if (left === undefined) continue
        const { columns: all, rows: whole } = tables[name] as Data['tables'][string]
        const columns = all.slice(0, all.length - left.length)
        const rows = whole.map((row) => row.slice(0, columns.length))
        sum.table(name, columns)
        for (const row of rows) sum.row(row)
        old[name] = { columns, rows }
      }
      return { ...head, tables: old, checksum: sum.end() }
    }

    it('R56: comes back, its tokens being without limits', async () => {
      const made = await furnish(instance)
      await use(made.plain.secret)
      const before = await backedUp(instance)
      const old = first(await backup())
      expect(Object.keys(old.tables)).not.toContain('token_limits')
      expect(old.tables['tokens']?.columns).not.toContain('max_uses')
      await restore(old)
      const bare = (rows: string[]) =>
        rows.filter(
          (row) =>
            !/^token_(limits|uses)/.test(row) &&
            ![made.counted.id, made.turned.id].some((id) => row.includes(id)),
        )
      expect(bare(await backedUp(instance))).toEqual(bare(before))
      expect(await use(made.counted.secret, 9)).toEqual(Array(9).fill('valid'))
      const { token } = await instance.call('reader', get_token, { token_id: made.counted.id })
      expect([token.access.limits, token.generations]).toEqual([null, []])
      await instance.call('operator', update_token, {
        token_id: made.counted.id,
        access: { limits: { max_uses: 1 } },
      })
      expect(await use(made.counted.secret)).toEqual(['limit_reached'])
    })

    it('R56: comes back with its limits where it has limits, and no policy and no leak yet', async () => {
      const made = await furnish(instance)
      await instance.core.uses.flush()
      const before = await backedUp(instance)
      const old = second(await backup())
      expect(old.tables['tokens']?.columns.at(-1)).toBe('max_uses')
      expect(old.tables['projects']?.columns.at(-1)).toBe('deleted_at')
      await restore(old)
      const others = (rows: string[]) => rows.filter((row) => !row.includes(made.turned.id))
      expect(others(await backedUp(instance))).toEqual(others(before))
      const { token } = await instance.call('reader', get_token, { token_id: made.counted.id })
      expect(token.access.limits).not.toBeNull()
    })

    it('R56: is refused when it was changed, or is neither of one version nor of the other', async () => {
      await furnish(instance)
      const data = await backup()
      const old = first(data)
      const before = await backedUp(instance)
      const edits: ((copy: Data) => void)[] = [
        (copy) => void copy.tables['tokens']?.rows.pop(),
        (copy) => void copy.tables['tokens']?.rows[0]?.push(null, null, null),
        (copy) => Object.assign(copy.tables, { token_limits: data.tables['token_limits'] }),
        (copy) => Object.assign(copy.tables, { tokens: data.tables['tokens'] }),
        (copy) => void copy.tables['tokens']?.columns.push('limit_requests'),
        (copy) => void delete copy.tables['token_servers'],
      ]
      for (const [n, edit] of edits.entries()) {
        const copy = structuredClone(old)
        edit(copy)
        const { code, reason } = await refusalError(restore(copy))
        expect([n, code, reason]).toEqual([n, 'invalid_input', 'backup'])
      }
      const cut = structuredClone(data)
      delete cut.tables['token_limits']
      expect((await refusalError(restore(cut))).reason).toBe('backup')
      expect(await backedUp(instance)).toEqual(before)
    })
  })
})
