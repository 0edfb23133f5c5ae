import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { list_audit_events } from '../../tools/audit/list_audit_events.ts'
import { verify_audit } from '../../tools/audit/verify_audit.ts'
import { create_group } from '../../tools/groups/create_group.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { plantKey, plantProject, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const hmac = 'a'.repeat(64)

describe.each(databases)('the proof of the trail on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
    for (const name of ['one', 'two', 'three']) await instance.call('operator', create_group, { name })
  })
  afterAll(() => instance.close())

  const verify = (expected: { expected_seq?: number; expected_hmac?: string } = {}) =>
    instance.call('reader', verify_audit, expected)

  /** What somebody with the database in hand could do, undone again unless kept. */
  const tampered = async (statement: string, undo: string, work: () => Promise<void>) => {
    const run = async (text: string) => {
      await instance.core.store.write(async (db) => {
        if (database.name === 'postgres')
          await sql`alter table audit disable trigger audit_append_only`.execute(db)
        else
          for (const name of ['update', 'delete'])
            await sql.raw(`drop trigger if exists audit_no_${name}`).execute(db)
        await sql.raw(text).execute(db)
      })
    }
    await run(statement)
    await work()
    await run(undo)
  }

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: verify_audit,
        roles: readers,
        good: {},
        bad: [
          { expected_seq: 1 },
          { expected_hmac: hmac },
          { expected_seq: -1, expected_hmac: hmac },
          { expected_seq: 1, expected_hmac: 'x' },
        ],
      },
      {
        operation: list_audit_events,
        roles: readers,
        good: {},
        bad: [{ outcome: 'maybe' }, { since: 'yesterday' }, { limit: 0 }],
      },
    ],
  )

  it('R39: holds for the trail as it was written, and proving it leaves no row', async () => {
    const rows = await trailOf(instance, async () => {
      const done = await verify()
      expect(done).toMatchObject({ ok: true, first_bad_seq: null, head: { seq: done.rows } })
      expect(done.head.hmac).toMatch(/^[0-9a-f]{64}$/)
    })
    expect(rows).toEqual([])
  })

  it('R39: holds while others write', async () => {
    const writes = Array.from({ length: 20 }, (_, n) =>
      instance.call('operator', create_group, { name: `w${n}` }),
    )
    const proofs = Array.from({ length: 20 }, () => verify())
    expect((await Promise.all(proofs)).map((one) => one.first_bad_seq)).toEqual(Array(20).fill(null))
    await Promise.all(writes)
  })

  it('R39: a head kept elsewhere still fits later, and a head that is not ours does not', async () => {
    const { head } = await verify()
    const kept = { expected_seq: head.seq, expected_hmac: head.hmac }
    await instance.call('operator', create_group, { name: 'later' })
    expect((await verify(kept)).ok).toBe(true)
    expect(await verify({ ...kept, expected_hmac: hmac })).toMatchObject({
      ok: false,
      first_bad_seq: head.seq,
    })
    expect(await verify({ expected_seq: head.seq + 100, expected_hmac: hmac })).toMatchObject({ ok: false })
  })

  it('R39: names the first row that was changed, and sees a removed row, a cut tail and a tail cut with its head', async () => {
    const changed = [
      'update audit set details = \'{"x":1}\' where seq = 2',
      'update audit set details = \'{"y":1}\' where seq = 2',
    ] as const
    const original = await instance.core.store.read.selectFrom('audit').selectAll().orderBy('seq').execute()
    const second = original[1]
    await tampered(changed[0], `update audit set details = '${second?.details}' where seq = 2`, async () => {
      expect(await verify()).toMatchObject({ ok: false, first_bad_seq: 2, rows: 1 })
    })
    expect((await verify()).ok).toBe(true)
    const last = original.at(-1)
    const kept = { expected_seq: last?.seq ?? 0, expected_hmac: last?.row_hmac.toString('hex') ?? '' }
    await tampered(`delete from audit where seq = ${last?.seq}`, 'select 1', async () => {
      expect(await verify()).toMatchObject({ ok: false, first_bad_seq: last?.seq })
    })
    const previous = original.at(-2)
    await instance.core.store.write((db) =>
      db
        .updateTable('audit_head')
        .set({ seq: previous?.seq ?? 0, row_hmac: previous?.row_hmac ?? Buffer.alloc(32) })
        .execute(),
    )
    expect((await verify()).ok).toBe(true)
    expect(await verify(kept)).toMatchObject({ ok: false, first_bad_seq: last?.seq })
  })

  it('R15: a key bound to a project proves and reads nothing of the trail of the instance', async () => {
    const { project_id } = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id })
    const bound = await instance.actor(secret)
    expect(await refusal(instance.call(bound, verify_audit, {}))).toBe('forbidden')
    expect(await refusal(instance.call(bound, list_audit_events, {}))).toBe('forbidden')
  })
})
