import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as groups from '../../db/groups.ts'
import * as projects from '../../db/projects.ts'
import type { NewToken } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import * as users from '../../db/users.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { type Verdict, verdicts } from '../../src/domain/verdict.ts'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { remove_groups } from '../../tools/tokens/remove_groups.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { makeToken, plantGroup, plantKey, plantProject, plantServer, plantUser } from '../support/world.ts'

/** What makes a token get each verdict, as columns and as the question asked. */
const faults: Partial<Record<Verdict, { columns?: Partial<NewToken>; ask?: object; owner?: true }>> = {
  revoked: { columns: { revoked_at: '2020-01-01T00:00:00.000Z' } },
  disabled: { columns: { enabled: 0 } },
  owner_inactive: { owner: true },
  not_yet_valid: { columns: { not_before: '2998-01-01T00:00:00.000Z' } },
  expired: { columns: { expires_at: '2020-01-01T00:00:00.000Z' } },
  ip_not_allowed: { columns: { allowed_ips: '["10.0.0.1"]' }, ask: { ip: '10.0.0.2' } },
  server_not_in_scope: { ask: { server: 'unreached' } },
  tool_not_in_scope: { columns: { tool_rules: '{"deny":["*"]}' }, ask: { tool: 'any' } },
}
const faulty = Object.keys(faults) as Verdict[]
const pairs = faulty.flatMap((a, at) => faulty.slice(at).map((b): [Verdict, Verdict] => [a, b]))

describe.each(databases)('validate_token on $name', (database) => {
  let instance: Instance
  let disabledOwner: string
  beforeAll(async () => {
    instance = await openInstance(database)
    disabledOwner = await plantUser(instance, { enabled: 0 })
  })
  afterAll(() => instance.close())

  const ask = (as: 'reader' | 'validator', input: Parameters<typeof validate_token.input.parse>[0]) =>
    instance.call(as, validate_token, input as { token: string })

  it.each(pairs)(
    'R30: of %s and %s on one token the earlier verdict is told, with the trace of all checks in their order',
    async (a, b) => {
      const both = [faults[a], faults[b]]
      const columns = Object.assign(
        {},
        ...both.map((one) => one?.columns ?? {}),
        both.some((one) => one?.owner) ? { owner_id: disabledOwner } : {},
      )
      const question = Object.assign({}, ...both.map((one) => one?.ask ?? {}))
      const { secret, id } = await plantKey(instance, 'access', columns)
      const answer = await ask('reader', { token: secret, ...question })
      expect(answer).toMatchObject({ valid: false, verdict: a, token: { id } })
      expect(answer.trace?.map((step) => step.check)).toEqual(verdicts.filter((one) => one !== 'valid'))
      const failed = answer.trace?.filter((step) => step.outcome === 'failed').map((step) => step.check)
      expect(failed).toEqual([...new Set([a, b])])
      const inspected = await ask('reader', { token_id: id, ...question })
      expect(inspected).toMatchObject({ valid: false, verdict: a, would_be: a })
      const bland = await ask('validator', { token: secret, ...question })
      expect(bland.verdict).toBe(verdicts.indexOf(a) < verdicts.indexOf('ip_not_allowed') ? 'invalid' : a)
    },
  )

  it('R30: callers without tokens:read get the same bytes for all six verdicts of the first kind and for what is malformed', async () => {
    const secrets = [
      makeSecret('mcpt'),
      ...(await Promise.all(
        (['revoked', 'disabled', 'not_yet_valid', 'expired'] as const).map(
          async (one) => (await plantKey(instance, 'access', faults[one]?.columns)).secret,
        ),
      )),
      (await plantKey(instance, 'access', { owner_id: disabledOwner })).secret,
      'garbage',
      'mcpt_ü\u0000',
      (await plantKey(instance, 'management')).secret,
      instance.adminKey,
    ]
    const bodies = new Set<string>()
    for (const token of secrets)
      bodies.add(JSON.stringify(await ask('validator', { token, server: 'x', tool: 'y', ip: '1.2.3.4' })))
    expect([...bodies]).toEqual([
      JSON.stringify({ valid: false, verdict: 'invalid', reason: 'The token is not valid.' }),
    ])
  })

  it('R30: the holder of a good secret is told what it may not do, but a validator learns nothing else of it', async () => {
    const { secret } = await makeToken(instance)
    expect(Object.keys(await ask('validator', { token: secret }))).toEqual(['valid', 'verdict', 'reason'])
    expect(await ask('validator', { token: secret, server: 'x' })).toMatchObject({
      valid: false,
      verdict: 'server_not_in_scope',
    })
  })

  it('R8: nothing but the full secret validates', async () => {
    const { id, secret, token } = await makeToken(instance, { name: 'a very certain name' })
    const shown = [
      id,
      token.prefix,
      token.last4,
      token.secret_redacted,
      'a very certain name',
      secret.slice(0, -1),
      `${secret} `,
      ` ${secret}`,
      `${secret}\n`,
      `${secret}\u0000`,
      secret.toLowerCase(),
      secret.toUpperCase(),
      `Bearer ${secret}`,
      `${secret},${secret}`,
      secret.slice(5),
      '*',
      '%',
      "' or 1=1 --",
    ]
    for (const one of shown)
      expect([one, (await ask('reader', { token: one })).verdict]).toEqual([one, 'unknown'])
    expect((await ask('reader', { token: secret })).valid).toBe(true)
  })

  it('R8: token_id is an inspection: it needs tokens:read, never says valid and is no use', async () => {
    const { id, secret } = await makeToken(instance)
    const answer = await ask('reader', { token_id: id })
    expect(answer).toMatchObject({
      valid: false,
      verdict: 'valid',
      would_be: 'valid',
      token: { id, use_count: 0, last_used_at: null },
    })
    expect(await refusal(ask('validator', { token_id: id }))).toBe('forbidden')
    expect(await refusal(ask('validator', { token_id: 'mgtk_0000000000000000000000' }))).toBe('forbidden')
    expect(await refusal(ask('reader', { token_id: secret }))).toBe('not_found')
  })

  it('R46: the first use of a secret is visible to the next read, with its time and address', async () => {
    const { id, secret } = await makeToken(instance)
    await ask('reader', { token: secret, ip: '::ffff:10.1.2.3' })
    const { token } = await instance.call('reader', get_token, { token_id: id })
    expect(token).toMatchObject({ use_count: 1, last_used_at: new Date(instance.clock.now).toISOString() })
    expect(token.last_used_ip).toMatch(/10\.1\.2\.3$/)
    for (let at = 0; at < 5; at++) await ask('validator', { token: secret })
    await ask('validator', { token: secret, server: 'unreached' })
    await instance.core.uses.flush()
    expect((await ask('reader', { token_id: id })).token?.use_count).toBe(6)
  })

  it('R3: a planted row with a plain SHA-256 never validates', async () => {
    const secret = makeSecret('mcpt')
    for (const secret_hash of [
      createHash('sha256').update(secret).digest(),
      Buffer.from(secret).subarray(0, 32),
    ]) {
      await plantKey(instance, 'access', { secret_hash })
      expect((await ask('reader', { token: secret })).verdict).toBe('unknown')
    }
  })

  it('not_before and expires_at hold to the millisecond', async () => {
    const at = (ms: number) => new Date(instance.clock.now + ms).toISOString()
    const { secret } = await makeToken(instance, { not_before: at(1_000), expires_at: at(2_000) })
    const seen = []
    for (const step of [0, 999, 1, 999, 1]) {
      instance.clock.pass(step)
      seen.push((await ask('reader', { token: secret })).verdict)
    }
    expect(seen).toEqual(['not_yet_valid', 'not_yet_valid', 'valid', 'valid', 'expired'])
  })

  it('R28: addresses are judged by meaning: mapped, ranges of both families, and no list means any address', async () => {
    const table: [string[] | null, string, boolean][] = [
      [null, '203.0.113.9', true],
      [['10.0.0.0/8'], '10.255.0.1', true],
      [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
      [['10.0.0.0/8'], '::ffff:a00:1', true],
      [['10.0.0.0/8'], '11.0.0.1', false],
      [['10.0.0.0/8'], '::10.0.0.1', false],
      [['::ffff:10.0.0.1'], '10.0.0.1', true],
      [['2001:db8::/32'], '2001:0DB8:0:0::1', true],
      [['2001:db8::/32'], '2001:db9::1', false],
      [['2001:db8::1'], '2001:db8:0:0:0:0:0:1', true],
      [['192.0.2.1', '2001:db8::/64'], '192.0.2.1', true],
      [['192.0.2.1', '2001:db8::/64'], '192.0.2.2', false],
      [['::/1'], '10.0.0.1', false],
    ]
    for (const [allowed_ips, ip, good] of table) {
      const { secret } = await makeToken(instance, { allowed_ips })
      expect([allowed_ips, ip, (await ask('reader', { token: secret, ip })).valid]).toEqual([
        allowed_ips,
        ip,
        good,
      ])
    }
  })

  it('tool rules: deny wins, what allow does not name is refused, and a rule for one server says nothing of another', async () => {
    const a = await plantServer(instance)
    const b = await plantServer(instance)
    const tool_rules = { allow: [`${a.slug}/*`, 'shared_*'], deny: ['*_delete', `${b.slug}/shared_x`] }
    const { secret } = await makeToken(instance, { access: { servers: [a.id, b.id], tool_rules } })
    const judge = async (server: string, tool: string) =>
      (await ask('reader', { token: secret, server, tool })).verdict
    expect(await judge(a.slug, 'anything')).toBe('valid')
    expect(await judge(a.id, 'anything')).toBe('valid')
    expect(await judge(a.slug, 'file_delete')).toBe('tool_not_in_scope')
    expect(await judge(b.slug, 'anything')).toBe('tool_not_in_scope')
    expect(await judge(b.slug, 'shared_y')).toBe('valid')
    expect(await judge(b.id, 'shared_x')).toBe('tool_not_in_scope')
  })

  describe('reach (R16)', () => {
    it('a token without access reaches nothing, and unknown, empty and wild servers are reached by nobody', async () => {
      const none = await makeToken(instance)
      const all = await makeToken(instance, { access: { all_servers: true } })
      const gone = await plantServer(instance)
      await instance.core.store.write((db) => servers.remove(db, {}, gone.id, new Date().toISOString()))
      const live = await plantServer(instance)
      expect((await ask('reader', { token: none.secret, server: live.id })).verdict).toBe(
        'server_not_in_scope',
      )
      for (const server of [
        '',
        ' ',
        '*',
        '%',
        'null',
        'undefined',
        'mgsr_x',
        gone.id,
        gone.slug,
        live.slug.toUpperCase(),
        'server\u202e',
      ]) {
        for (const { secret } of [none, all]) {
          expect([server, (await ask('reader', { token: secret, server })).verdict]).toEqual([
            server,
            'server_not_in_scope',
          ])
        }
      }
      expect((await ask('reader', { token: all.secret, server: live.slug })).verdict).toBe('valid')
    })

    it('a server is reached by id and by slug, alone or through a group, and leaves the reach with the group or the server', async () => {
      const [a, b, c] = [
        await plantServer(instance),
        await plantServer(instance),
        await plantServer(instance),
      ]
      const group = await plantGroup(instance, [b.id])
      const { secret, id } = await makeToken(instance, { access: { servers: [a.id], groups: [group] } })
      const reached = async () => {
        const seen = []
        for (const server of [a, b, c]) {
          const byId = (await ask('reader', { token: secret, server: server.id })).valid
          expect((await ask('reader', { token: secret, server: server.slug })).valid).toBe(byId)
          seen.push(byId)
        }
        return seen
      }
      const now = new Date().toISOString()
      const write = instance.core.store.write
      expect(await reached()).toEqual([true, true, false])
      await write((db) => groups.addServers(db, group, [c.id]))
      expect(await reached()).toEqual([true, true, true])
      await write((db) => groups.removeServers(db, group, [b.id]))
      expect(await reached()).toEqual([true, false, true])
      await write((db) => groups.remove(db, group, now))
      expect(await reached()).toEqual([true, false, false])
      await write((db) => servers.remove(db, {}, a.id, now))
      expect(await reached()).toEqual([false, false, false])
      expect((await ask('reader', { token_id: id })).token?.access).toMatchObject({
        all_servers: false,
        servers: [],
        groups: [],
      })
    })

    it('adding a group to an all_servers token narrows it, and taking the group away does not widen it again', async () => {
      const [a, b] = [await plantServer(instance), await plantServer(instance)]
      const group = await plantGroup(instance, [a.id])
      const { secret, id } = await makeToken(instance, { access: { all_servers: true } })
      const reached = async () => [
        (await ask('reader', { token: secret, server: a.id })).valid,
        (await ask('reader', { token: secret, server: b.id })).valid,
      ]
      expect(await reached()).toEqual([true, true])
      const added = await instance.call('operator', add_groups, { token_id: id, group_ids: [group] })
      expect(added.token.access.all_servers).toBe(false)
      expect(await reached()).toEqual([true, false])
      const removed = await instance.call('operator', remove_groups, { token_id: id, group_ids: [group] })
      expect(removed.token.access).toMatchObject({ all_servers: false, groups: [] })
      expect(await reached()).toEqual([false, false])
      await instance.call('operator', update_token, { token_id: id, access: { all_servers: true } })
      expect(await reached()).toEqual([true, true])
    })

    it('a token bound to a project reaches the servers of that project only, whatever its groups hold', async () => {
      const project = await plantProject(instance)
      const outside = await plantServer(instance)
      const group = await plantGroup(instance, [outside.id, project.server.id])
      for (const access of [
        { all_servers: true },
        { groups: [group] },
        { servers: [outside.id, project.server.id] },
      ]) {
        const { secret } = await makeToken(instance, { project_id: project.project_id, access })
        expect((await ask('reader', { token: secret, server: project.server.slug })).verdict).toBe('valid')
        expect((await ask('reader', { token: secret, server: outside.slug })).verdict).toBe(
          'server_not_in_scope',
        )
      }
    })

    it('a token of a deleted project reaches nothing', async () => {
      const project = await plantProject(instance)
      const { secret } = await makeToken(instance, {
        project_id: project.project_id,
        access: { all_servers: true },
      })
      await instance.core.store.write((db) =>
        projects.remove(db, {}, project.project_id, new Date().toISOString()),
      )
      expect((await ask('reader', { token: secret, server: project.server.slug })).verdict).toBe(
        'server_not_in_scope',
      )
    })
  })

  it('the owner: disabling, deleting and leaving the project act on the next request, enabling lifts it', async () => {
    const project = await plantProject(instance)
    const { secret } = await makeToken(instance, {
      owner_id: project.user_id,
      project_id: project.project_id,
    })
    const now = new Date().toISOString()
    const { write } = instance.core.store
    const verdict = async () => (await ask('reader', { token: secret })).verdict
    expect(await verdict()).toBe('valid')
    await write((db) =>
      db.updateTable('users').set({ enabled: 0 }).where('id', '=', project.user_id).execute(),
    )
    expect(await verdict()).toBe('owner_inactive')
    expect(await refusal(instance.actor(secret).then(() => undefined))).toBe('unauthenticated')
    await write((db) =>
      db.updateTable('users').set({ enabled: 1 }).where('id', '=', project.user_id).execute(),
    )
    expect(await verdict()).toBe('valid')
    await write((db) => projects.removeMember(db, project.project_id, project.user_id))
    expect(await verdict()).toBe('owner_inactive')
    await write((db) => projects.addMember(db, project.project_id, project.user_id, now))
    expect(await verdict()).toBe('valid')
    await write((db) => users.remove(db, project.user_id, now))
    expect(await verdict()).toBe('owner_inactive')
  })

  it('R15: a key bound to a project learns nothing of a token of another project', async () => {
    const [own, other] = [await plantProject(instance), await plantProject(instance)]
    const inside = await makeToken(instance, { project_id: own.project_id })
    const outside = await makeToken(instance, { project_id: other.project_id })
    for (const role of ['reader', 'validator'] as const) {
      const actor = await instance.actor(
        (await plantKey(instance, 'management', { role, project_id: own.project_id })).secret,
      )
      const unknown = await instance.call(actor, validate_token, { token: makeSecret('mcpt') })
      expect(await instance.call(actor, validate_token, { token: outside.secret })).toEqual(unknown)
      expect(await instance.call(actor, validate_token, { token: outside.secret, server: 'x' })).toEqual(
        unknown,
      )
      expect((await instance.call(actor, validate_token, { token: inside.secret })).valid).toBe(true)
    }
  })
})
