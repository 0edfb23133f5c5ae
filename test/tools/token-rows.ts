import type { AnyOperation } from '../../src/core/operation.ts'
import { simulate_change } from '../../tools/access/simulate_change.ts'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { explain_access } from '../../tools/tokens/explain_access.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { remove_groups } from '../../tools/tokens/remove_groups.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'

export interface Row {
  operation: AnyOperation
  /** A good call on this token. */
  input(token: { id: string; secret: string }): object
  /** Inputs that are refused as bad. */
  bad: object[]
  write: boolean
  /** Needs the token it is given to be in scope. */
  scoped: boolean
}

/** The group that the good calls name; the suite plants it. */
export const planted = { group: '' }
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

/** Each token tool with a good call, and every bad one. */
export const rows: Row[] = [
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
  one(explain_access, false, { server: 'any' }, [
    { token_id: 'x' },
    { token_id: 'x', server: '' },
    { token_id: 'x', server: ['y'] },
    { token_id: 'x', server: 'y', tool: '' },
    { token_id: 'x', server: 'y', ip: '1.2.3.4/8' },
  ]),
  one(simulate_change, false, { change: 'disable' }, [
    { token_id: 'x' },
    { token_id: 'x', change: 'burn' },
    { token_id: 'x', change: 'delete' },
    ...wrongTimes.map((expires_at) => ({ token_id: 'x', change: 'update', expires_at })),
    ...wrongIps.map((allowed_ips) => ({ token_id: 'x', change: 'update', allowed_ips })),
    ...wrongAccess.map((access) => ({ token_id: 'x', change: 'update', access })),
  ]),
  {
    ...one(add_groups, true, {}, [
      { token_id: 'x' },
      { token_id: 'x', group_ids: 'g' },
      { token_id: 'x', group_ids: [null] },
      { token_id: 'x', group_ids: Array(101).fill('g') },
    ]),
    input: ({ id }) => ({ token_id: id, group_ids: [planted.group] }),
  },
  {
    ...one(remove_groups, true, {}, [
      { token_id: 'x' },
      { token_id: 'x', group_ids: 'g' },
      { token_id: 'x', group_ids: [''] },
    ]),
    input: ({ id }) => ({ token_id: id, group_ids: [planted.group] }),
  },
]
