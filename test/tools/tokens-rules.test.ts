import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { Actor } from '../../src/core/actor.ts'
import { actorId } from '../../src/core/actor.ts'
import type { AnyOperation } from '../../src/core/operation.ts'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { remove_groups } from '../../tools/tokens/remove_groups.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import {
  contents,
  leak,
  makeToken,
  type Project,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  stateTables,
  trailOf,
} from '../support/world.ts'

interface Row {
  operation: AnyOperation
  /** A good call on this token. */
  input(token: { id: string; secret: string }): object
  /** Inputs that are refused as bad. */
  bad: object[]
  write: boolean
  /** Needs the token it is given to be in scope. */
  scoped: boolean
}

let group = ''
const one = (operation: AnyOperation, write: boolean, more: object, bad: object[]): Row => ({
  operation,
  write,
  scoped: true,
  input: ({ id }) => ({ token_id: id, ...more }),
  bad: [
    {},
    { token_id: null },
    { token_id: '' },
    { token_id: 5 },
    { token_id: ['x'] },
    { token_id: 'a\u0000b' },
    { token_id: 'a\ud800' },
    ...bad,
  ],
})

const wrongTimes = [
  '',
  'tomorrow',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-01-01',
  5,
  '2026-13-01T00:00:00Z',
]
const wrongIps = [
  [],
  ['::1%eth0'],
  ['010.0.0.1'],
  ['10.0.0.1:80'],
  ['10.0.0.1/8'],
  ['0.0.0.0/0'],
  ['::/0'],
  [''],
  'x',
  ['*'],
  [null],
  [5],
]
const wrongNames = [
  '',
  '   ',
  'a\u0000b',
  'a\ud800b',
  'a\u202eb',
  'a\nb',
  'x'.repeat(201),
  5,
  null,
  [],
  {},
  'mgtk_0123456789ABCDEFGHIJKL',
]
const wrongAccess = [
  null,
  [],
  'all',
  { all_servers: 'yes' },
  { all_servers: true, servers: ['mgsr_x'] },
  { all: true },
  { servers: 'x' },
  { servers: [''] },
  { tool_rules: { allow: [] } },
  { tool_rules: { deny: ['a\u0000'] } },
  { tool_rules: { only: ['x'] } },
]
const limits = (rest: object): object[] => [
  ...wrongTimes.map((expires_at) => ({ ...rest, expires_at })),
  ...wrongTimes.map((not_before) => ({ ...rest, not_before })),
  ...wrongIps.map((allowed_ips) => ({ ...rest, allowed_ips })),
  ...wrongAccess.map((access) => ({ ...rest, access })),
  ...[0, -1, 1.5, 36_501, '30', null, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY].map(
    (expires_in_days) => ({ ...rest, expires_in_days }),
  ),
  ...[
    'x',
    [],
    null,
    5,
    { a: 'b\u0000' },
    { 'k\ud800': 1 },
    { a: 'x'.repeat(17_000) },
    JSON.parse('{"__proto__":1}'),
    JSON.parse('{"a":[{"__proto__":{}}]}'),
  ].map((metadata) => ({ ...rest, metadata })),
  ...['a\u0000', 'a\ud800', 'a\u202e', 'x'.repeat(2_001), 5, null, '\u0007'].map((description) => ({
    ...rest,
    description,
  })),
]

const rows: Row[] = [
  {
    operation: create_token,
    write: true,
    scoped: false,
    input: () => ({ name: 'new' }),
    bad: [
      {},
      ...wrongNames.map((name) => ({ name })),
      ...limits({ name: 'x' }),
      { name: 'x', delivery: 'email' },
      { name: 'x', idempotency_key: 'short' },
      { name: 'x', idempotency_key: 'ü'.repeat(20) },
      { name: 'x', expires_in_days: 3, expires_at: '2099-01-01T00:00:00Z' },
      { name: 'x', expires_at: '2001-01-01T00:00:00Z' },
      { name: 'x', not_before: '2098-01-01T00:00:00Z' },
    ],
  },
  one(get_token, false, {}, []),
  {
    operation: list_magic_tokens,
    write: false,
    scoped: false,
    input: () => ({}),
    bad: [
      ...[0, 101, 1.5, -1, '5', null].map((limit) => ({ limit })),
      ...['!!!!', 'eA==', '', Buffer.from("a' or 1=1").toString('base64url'), 'x'.repeat(201), 5].map(
        (cursor) => ({ cursor }),
      ),
      ...[[], ['gone'], 'active', ['active', 'active', 'active', 'active', 'active']].map((status) => ({
        status,
      })),
      { order: 'up' },
      { text: '' },
      { text: 'a\u0000b' },
      { text: 'a\ud800' },
      { group_id: 'a\u0000' },
      { expires_before: 'soon' },
      { unused_since: 5 },
      { include_total: 'yes' },
    ],
  },
  one(update_token, true, { name: 'renamed' }, [
    ...wrongNames.map((name) => ({ token_id: 'mgtk_x', name })),
    ...limits({ token_id: 'mgtk_x' }).filter((bad) => !('not_before' in bad && bad.not_before === null)),
  ]),
  one(rotate_token, true, {}, [
    ...[-1, 1.5, 86_401, '5', null, Number.NaN].map((grace_seconds) => ({
      token_id: 'mgtk_x',
      grace_seconds,
    })),
    { token_id: 'x', delivery: 'sms' },
    { token_id: 'x', idempotency_key: 'x' },
  ]),
  one(revoke_token, true, {}, []),
  one(set_token_enabled, true, { enabled: false }, [
    { token_id: 'x' },
    { token_id: 'x', enabled: 0 },
    { token_id: 'x', enabled: 'false' },
    { token_id: 'x', enabled: null },
  ]),
  {
    operation: validate_token,
    write: false,
    scoped: false,
    input: ({ secret }) => ({ token: secret }),
    bad: [
      {},
      { token: 'x', token_id: 'mgtk_x' },
      { token: '' },
      { token: 5 },
      { token: 'x'.repeat(513) },
      { token_id: '' },
      { token: 'x', ip: 'somewhere' },
      { token: 'x', ip: '1.2.3.4/8' },
      { token: 'x', ip: '::1%lo' },
      { token: 'x', server: 5 },
      { token: 'x', server: 'a\u0000' },
      { token: 'x', tool: 'a\ud800' },
      { token: 'x', tool: 'x'.repeat(201) },
    ],
  },
  {
    ...one(add_groups, true, {}, [
      { token_id: 'x' },
      { token_id: 'x', group_ids: 'g' },
      { token_id: 'x', group_ids: [null] },
      { token_id: 'x', group_ids: Array(101).fill('g') },
    ]),
    input: ({ id }) => ({ token_id: id, group_ids: [group] }),
  },
  {
    ...one(remove_groups, true, {}, [
      { token_id: 'x' },
      { token_id: 'x', group_ids: 'g' },
      { token_id: 'x', group_ids: [''] },
    ]),
    input: ({ id }) => ({ token_id: id, group_ids: [group] }),
  },
]

describe.each(databases)('the token tools on $name', (database) => {
  let instance: Instance
  let project: Project
  let other: Project
  let nobody: Actor
  let access: Actor
  let userKey: Actor
  let bound: Actor
  let boundReader: Actor

  beforeAll(async () => {
    instance = await openInstance(database)
    group = await plantGroup(instance, [(await plantServer(instance)).id])
    project = await plantProject(instance)
    other = await plantProject(instance)
    nobody = { kind: 'nobody' }
    access = await instance.actor((await makeToken(instance)).secret)
    const key = { owner_id: project.user_id, project_id: project.project_id, all_servers: 1 }
    userKey = await instance.actor((await plantKey(instance, 'user_key', key)).secret)
    bound = await instance.actor(
      (await plantKey(instance, 'management', { project_id: project.project_id })).secret,
    )
    boundReader = await instance.actor(
      (await plantKey(instance, 'management', { project_id: project.project_id, role: 'reader' })).secret,
    )
  })
  afterAll(() => instance.close())

  const call = (as: Parameters<Instance['call']>[0], row: Row, input: object) =>
    instance.call(as, row.operation, input as z.input<z.ZodObject>)

  describe.each(rows)('$operation.name', (row) => {
    const { operation } = row

    it('R38: succeeds and leaves exactly one row in the trail if it changes something, none if it reads', async () => {
      const token = await makeToken(instance)
      const trail = await trailOf(instance, () => call('operator', row, row.input(token)))
      expect(
        trail.map((entry) => [entry.action, entry.outcome, entry.actor_kind, entry.actor_id, entry.role]),
      ).toEqual(row.write ? [[operation.name, 'ok', 'local', 'tester', 'operator']] : [])
      if (row.write && operation !== create_token) expect(trail[0]?.target_id).toBe(token.id)
    })

    it('R20: refuses bad input as invalid_input, naming the member, with no effect and no row', async () => {
      const before = await contents(instance, [...stateTables, 'audit'])
      for (const bad of [
        ...row.bad,
        { ...row.input({ id: 'mgtk_x', secret: 'x' }), surprise: 1 },
        JSON.parse('{"token_id":"x","name":"x","enabled":true,"group_ids":[],"__proto__":{}}'),
      ]) {
        const error = await refusalError(call('admin', row, bad))
        expect([error.code, JSON.stringify(bad).slice(0, 120)]).toEqual([
          'invalid_input',
          JSON.stringify(bad).slice(0, 120),
        ])
        expect(error.message).not.toMatch(/sqlite|postgres|select |\/work|node_modules|\n\s+at /i)
      }
      expect((await refusalError(call('admin', row, { surprise: 1 }))).message).toContain('surprise')
      expect(await contents(instance, [...stateTables, 'audit'])).toBe(before)
    })

    it('R13: refuses callers without the permission; a refused change leaves one denied row, a refused read is tallied', async () => {
      const token = await makeToken(instance)
      const validatorMay = operation === validate_token
      const readerMay = !row.write
      const weak: [Parameters<Instance['call']>[0], string][] = [
        [nobody, 'unauthenticated'],
        [access, 'forbidden'],
        ...(validatorMay ? [] : ([['validator', 'forbidden']] as ['validator', string][])),
        ...(readerMay ? [] : ([['reader', 'forbidden']] as ['reader', string][])),
        ...(validatorMay ? ([[userKey, 'forbidden']] as [Actor, string][]) : []),
      ]
      const before = await contents(instance, stateTables)
      for (const [as, code] of weak) {
        await instance.core.tallies.flush()
        const trail = await trailOf(instance, async () =>
          expect(await refusal(call(as, row, row.input(token)))).toBe(code),
        )
        expect(trail.map((entry) => [entry.action, entry.outcome])).toEqual(
          row.write ? [[operation.name, 'denied']] : [],
        )
        const tallied = await trailOf(instance, () => instance.core.tallies.flush())
        expect(tallied.map((entry) => [entry.action, entry.outcome, entry.details])).toEqual(
          row.write ? [] : [[operation.name, 'denied', '{"count":1}']],
        )
        const actor: Actor = typeof as === 'string' ? { kind: 'local', id: 'tester', role: as } : as
        for (const entry of [...trail, ...tallied])
          expect([entry.actor_kind, entry.actor_id]).toEqual([actor.kind, actorId(actor)])
      }
      expect(await contents(instance, stateTables)).toBe(before)
    })

    it('R5: no answer holds a secret but that of create and rotate, and no answer a digest', async () => {
      const token = await makeToken(instance)
      const answer = JSON.stringify(await call('operator', row, row.input(token)))
      const { secret_hash } = await instance.core.store.read
        .selectFrom('tokens')
        .select('secret_hash')
        .where('id', '=', token.id)
        .executeTakeFirstOrThrow()
      expect(leak(Buffer.from(answer), token.secret)).toBe(-1)
      expect(answer).not.toMatch(/hash|pepper|Buffer/)
      expect(answer).not.toContain(secret_hash.toString('hex'))
      const shown = answer.match(/[a-z0-9]{2,8}_[0-9A-Za-z]{43}/g) ?? []
      expect(shown).toHaveLength(operation === create_token || operation === rotate_token ? 1 : 0)
    })

    if (row.scoped) {
      it('R15: what lies outside the scope of the caller is not_found, and untouched', async () => {
        const elsewhere = await makeToken(instance, { project_id: other.project_id, owner_id: other.user_id })
        const unbound = await makeToken(instance, { owner_id: project.user_id })
        const management = await plantKey(instance, 'management', { project_id: project.project_id })
        const before = await contents(instance, stateTables)
        const callers = row.write ? [bound, userKey] : [bound, boundReader, userKey]
        for (const as of callers) {
          for (const token of [
            elsewhere,
            unbound,
            management,
            { id: 'mgtk_0000000000000000000000', secret: '' },
            { id: elsewhere.secret, secret: '' },
            { id: '*', secret: '' },
          ]) {
            expect(await refusal(call(as, row, row.input(token)))).toBe('not_found')
          }
        }
        expect(await contents(instance, stateTables)).toBe(before)
        for (const token of [elsewhere, unbound]) {
          expect((await instance.core.verifier.verify(token.secret, {})).verdict).toBe('valid')
        }
      })

      it('R20: the id of another kind, a name where a change needs an id and management keys are not_found', async () => {
        const management = await plantKey(instance, 'management')
        for (const id of [
          group,
          project.project_id,
          project.user_id,
          management.id,
          'no such name',
          '%',
          '__proto__',
          'constructor',
        ]) {
          expect(await refusal(call('admin', row, row.input({ id, secret: '' })))).toBe('not_found')
        }
        if (row.write) {
          const { token } = await makeToken(instance, { name: `by name ${operation.name}` })
          expect(await refusal(call('admin', row, row.input({ id: token.name ?? '', secret: '' })))).toBe(
            'not_found',
          )
        }
      })
    }
  })

  it('R40: a secret that a caller puts where an id belongs does not get into the trail, nor into the refusal', async () => {
    const token = await makeToken(instance)
    const trail = await trailOf(instance, async () => {
      for (const row of rows.filter((one) => one.write && one.scoped)) {
        const error = await refusalError(call('reader', row, row.input({ id: token.secret, secret: '' })))
        expect(leak(Buffer.from(error.message), token.secret)).toBe(-1)
        const missing = await refusalError(call('admin', row, row.input({ id: token.secret, secret: '' })))
        expect(leak(Buffer.from(missing.message), token.secret)).toBe(-1)
      }
      await instance.call('admin', create_token, { name: `for ${token.secret}` })
    })
    expect(trail.length).toBeGreaterThan(6)
    expect(leak(Buffer.from(JSON.stringify(trail)), token.secret)).toBe(-1)
  })
})
