import { beforeEach, describe, expect, it } from 'vitest'
import type { AuditRow } from '../../db/schema.ts'
import { revoke_tokens } from '../../tools/bulk/revoke_tokens.ts'
import { rotate_due_tokens } from '../../tools/bulk/rotate_due_tokens.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import {
  contents,
  makeToken,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  stateTables,
  trailOf,
} from '../support/world.ts'

const day = 86_400_000
const none = (prefix: string) => `${prefix}_0000000000000000000001`

describe.each(databases)('many tokens at once on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: revoke_tokens,
        roles: ['admin', 'operator'],
        good: { text: 'none' },
        bad: [{}, { dry_run: true }, { unused_for_days: 0 }, { text: '' }, { text: 'x', confirm: '' }],
      },
      {
        operation: rotate_due_tokens,
        roles: ['admin', 'operator'],
        good: { older_than_days: 1 },
        bad: [{}, { older_than_days: 0 }, { older_than_days: 1, grace_seconds: -1 }],
      },
    ],
  )

  const sorted = (rows: AuditRow[]) =>
    rows.map(({ action, target_id }) => `${action} ${target_id}`).toSorted()
  async function age(id: string, days: number) {
    const created_at = new Date(instance.clock.now - days * day).toISOString()
    await instance.core.store.write((db) =>
      db
        .updateTable('tokens')
        .set({ created_at } as object)
        .where('id', '=', id)
        .execute(),
    )
  }

  it('revokes exactly what was shown: one row for the call and one for each token', async () => {
    const server = await plantServer(instance)
    const group_id = await plantGroup(instance, [server.id])
    const made = [1, 2, 3].map(() => makeToken(instance, { name: 'in', access: { groups: [group_id] } }))
    const ids = (await Promise.all(made)).map(({ id }) => id)
    const other = await makeToken(instance, { access: { servers: [server.id] } })
    const { preview } = await instance.call('operator', revoke_tokens, { group_id, dry_run: true })
    expect(preview).toMatchObject({
      servers_lost: { count: 1, servers: [{ id: server.id }] },
      tokens_hit: { count: 3 },
    })
    const confirm = preview?.confirm ?? ''
    const rows = await trailOf(instance, async () => {
      const done = await instance.call('operator', revoke_tokens, { group_id, confirm })
      expect(done).toMatchObject({ revoked: 3, tokens: [{ name: 'in' }, { name: 'in' }, { name: 'in' }] })
    })
    expect(sorted(rows)).toEqual(['revoke_tokens null', ...ids.map((id) => `revoke_token ${id}`)].toSorted())
    const { token } = await instance.call('reader', get_token, { token_id: other.id })
    expect(token.status).toBe('active')
    expect(await refusal(instance.call('operator', revoke_tokens, { group_id, confirm }))).toBe('conflict')
  })

  it('a token that comes to match in between is shown first, and nothing is revoked before', async () => {
    await makeToken(instance, { name: 'sweep' })
    const { preview } = await instance.call('operator', revoke_tokens, { text: 'sweep', dry_run: true })
    await makeToken(instance, { name: 'sweep too' })
    const before = await contents(instance, [...stateTables, 'audit'])
    const call = instance.call('operator', revoke_tokens, { text: 'sweep', confirm: preview?.confirm })
    expect(await refusalError(call)).toMatchObject({ code: 'conflict', reason: 'stale' })
    expect(await contents(instance, [...stateTables, 'audit'])).toBe(before)
  })

  it('every face asks for the confirm, and the filters narrow each other', async () => {
    const idle = await makeToken(instance, { name: 'job old' })
    await age(idle.id, 40)
    await makeToken(instance, { name: 'job new' })
    for (const via of ['v1', 'cli', 'mcp'] as const) {
      const call = instance.call('operator', revoke_tokens, { text: 'job' }, via)
      expect(await refusalError(call)).toMatchObject({ code: 'conflict', reason: 'unconfirmed' })
    }
    const asked = { text: 'job', unused_for_days: 30, dry_run: true }
    const { preview } = await instance.call('operator', revoke_tokens, asked)
    expect(preview?.tokens_hit.tokens).toEqual([{ id: idle.id, name: 'job old' }])
  })

  it('a filter by what is not there is refused, and a key of a project revokes in its project alone', async () => {
    for (const [member, prefix] of [
      ['group_id', 'mggr'],
      ['server_id', 'mgsr'],
      ['owner_id', 'usr'],
      ['project_id', 'proj'],
    ] as const) {
      const asked = { [member]: none(prefix), dry_run: true }
      expect(await refusal(instance.call('admin', revoke_tokens, asked))).toBe('not_found')
    }
    const project = await plantProject(instance)
    const mine = await makeToken(instance, { name: 'both', project_id: project.project_id })
    await makeToken(instance, { name: 'both' })
    const { secret } = await plantKey(instance, 'management', {
      role: 'admin',
      project_id: project.project_id,
    })
    const bound = await instance.actor(secret)
    const { preview } = await instance.call(bound, revoke_tokens, { text: 'both', dry_run: true })
    expect(preview?.tokens_hit.tokens.map(({ id }) => id)).toEqual([mine.id])
  })

  it('1,000 tokens go in one call, one more is too many for it', async () => {
    const { id, token } = await makeToken(instance, { name: 'crowd' })
    const row = await instance.core.store.read
      .selectFrom('tokens')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect(token.name).toBe('crowd')
    const copies = Array.from({ length: 1_000 }, (_, at) => ({
      ...row,
      id: `${id.slice(0, -4)}${String(at).padStart(4, '0')}`,
      secret_hash: Buffer.from(String(at).padStart(32, 'x')),
    }))
    await instance.core.store.write(async (db) => {
      for (let at = 0; at < 1_000; at += 200)
        await db
          .insertInto('tokens')
          .values(copies.slice(at, at + 200))
          .execute()
    })
    const refused = await refusalError(
      instance.call('operator', revoke_tokens, { text: 'crowd', dry_run: true }),
    )
    expect(refused).toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('1001 tokens match'),
    })
    await instance.core.store.write((db) => db.deleteFrom('tokens').where('id', '=', id).execute())
    const { preview } = await instance.call('operator', revoke_tokens, { text: 'crowd', dry_run: true })
    const started = Date.now()
    const confirm = preview?.confirm
    const rows = await trailOf(instance, async () => {
      expect((await instance.call('operator', revoke_tokens, { text: 'crowd', confirm })).revoked).toBe(1_000)
    })
    expect(rows).toHaveLength(1_001)
    // Nobody else writes meanwhile.
    expect(Date.now() - started).toBeLessThan(3_000)
  })

  it('rotates what is due by links that open, tells what is not due from it, and leaves a row for each', async () => {
    const [old, fresh] = [await makeToken(instance, { name: 'old' }), await makeToken(instance)]
    await age(old.id, 91)
    const asked = { older_than_days: 90, delivery: 'link' } as const
    const { preview } = await instance.call('operator', rotate_due_tokens, { ...asked, dry_run: true })
    expect(preview?.summary).toMatch(/1 token gets a new secret \("old"\)/)
    const rows = await trailOf(instance, async () => {
      const done = await instance.call('operator', rotate_due_tokens, { ...asked, confirm: preview?.confirm })
      expect(done).toMatchObject({
        rotated: 1,
        refused: 0,
        remaining: 0,
        tokens: [{ id: old.id, reason: null }],
      })
      const code = done.tokens?.[0]?.delivery?.code ?? ''
      const { secret } = await instance.call({ kind: 'nobody' }, redeem_link, { code })
      expect((await instance.call('reader', validate_token, { token: secret })).token?.id).toBe(old.id)
    })
    expect(sorted(rows).filter((row) => !row.startsWith('redeem'))).toEqual([
      `rotate_due_tokens null`,
      `rotate_token ${old.id}`,
    ])
    expect((await instance.call('reader', validate_token, { token: old.secret })).valid).toBe(false)
    expect((await instance.call('reader', validate_token, { token: fresh.secret })).valid).toBe(true)
  })

  it('a token that policy keeps from a new secret is told with the reason, and the others go on', async () => {
    const project = await plantProject(instance)
    const bound = await instance.call('operator', create_token, {
      name: 'bound',
      project_id: project.project_id,
    })
    const free = await makeToken(instance, { name: 'free' })
    await age(bound.token.id, 10)
    await age(free.id, 10)
    const policy = { require_allowed_ips: true }
    await instance.call('admin', update_project, { project_id: project.project_id, policy })
    const asked = { older_than_days: 5 }
    const { preview } = await instance.call('operator', rotate_due_tokens, { ...asked, dry_run: true })
    const done = await instance.call('operator', rotate_due_tokens, { ...asked, confirm: preview?.confirm })
    expect(done.tokens).toEqual([
      expect.objectContaining({
        id: bound.token.id,
        rotated: false,
        reason: expect.stringMatching(/require_allowed_ips/),
        delivery: null,
      }),
      expect.objectContaining({ id: free.id, rotated: true, reason: null }),
    ])
    const valid = await instance.call('reader', validate_token, { token: bound.delivery.secret })
    expect(valid.valid).toBe(true)
  })

  it('R7: no conversation gets many secrets inline', async () => {
    const asked = { older_than_days: 1, delivery: 'inline', dry_run: true } as const
    const call = instance.call('operator', rotate_due_tokens, asked, 'stdio')
    expect(await refusalError(call)).toMatchObject({ code: 'invalid_input', field: 'delivery' })
  })
})
