import type { Actor } from '../../src/core/actor.ts'
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

/** Who tries, and on whom; filled before each run. */
export interface Cast {
  access: Actor
  limited: Actor
  limitedId: string
  bound: Actor
  userKey: Actor
  userKeyId: string
  wholeProject: Actor
  reader: Actor
  validator: Actor
  expiring: Actor
  end: string
  victim: string
  victimSecret: string
  sibling: string
  owners: string
  otherProject: string
  ownProject: string
  otherUser: string
  admin: string
  group: string
  ownServer: string
  secondServer: string
  foreignServer: string
}

type Attempt = [
  what: string,
  who: keyof Cast,
  operation: AnyOperation,
  input: (cast: Cast) => object,
  code?: string,
]

const smuggled = (member: string, value: unknown): Attempt[] => [
  [
    `${member} in create_token`,
    'limited',
    create_token,
    () => ({ name: 'x', expires_in_days: 1, [member]: value }),
    'invalid_input',
  ],
  [
    `${member} in update_token`,
    'limited',
    update_token,
    (cast) => ({ token_id: cast.sibling, [member]: value }),
    'invalid_input',
  ],
  [
    `${member} in rotate_token`,
    'access',
    rotate_token,
    (cast) => ({ token_id: cast.victim, [member]: value }),
    'invalid_input',
  ],
]

/** Attempts to get more than the caller has; each answers `forbidden` unless it says otherwise (security R15). */
export const attempts: Attempt[] = [
  ...smuggled('role', 'admin'),
  ...smuggled('kind', 'management'),
  ...smuggled('permissions', ['tokens:write']),
  ...smuggled('user_id', 'usr_x'),
  ...smuggled('generation', 0),
  ...smuggled('secret', 'mcpt_chosen'),
  ...smuggled('created_by', 'admin'),
  [
    'all_servers beside access in create_token',
    'userKey',
    create_token,
    () => ({ name: 'x', all_servers: true }),
    'invalid_input',
  ],
  [
    'owner_id in update_token',
    'limited',
    update_token,
    (cast) => ({ token_id: cast.sibling, owner_id: cast.otherUser }),
    'invalid_input',
  ],
  [
    'project_id in update_token',
    'bound',
    update_token,
    (cast) => ({ token_id: cast.sibling, project_id: null }),
    'invalid_input',
  ],
  [
    'access in rotate_token',
    'access',
    rotate_token,
    (cast) => ({ token_id: cast.victim, access: { all_servers: true } }),
    'invalid_input',
  ],
  [
    'expires_at in rotate_token',
    'access',
    rotate_token,
    (cast) => ({ token_id: cast.victim, expires_at: null }),
    'invalid_input',
  ],
  ['an access token rotating another', 'access', rotate_token, (cast) => ({ token_id: cast.victim })],
  ['an access token reading another', 'access', get_token, (cast) => ({ token_id: cast.victim })],
  ['an access token listing', 'access', list_magic_tokens, () => ({})],
  ['an access token creating', 'access', create_token, () => ({ name: 'x' })],
  ['an access token revoking another', 'access', revoke_token, (cast) => ({ token_id: cast.victim })],
  ['an access token validating', 'access', validate_token, (cast) => ({ token: cast.victimSecret })],
  ['a reader rotating', 'reader', rotate_token, (cast) => ({ token_id: cast.victim })],
  ['a reader revoking', 'reader', revoke_token, (cast) => ({ token_id: cast.victim })],
  ['a reader creating', 'reader', create_token, () => ({ name: 'x' })],
  ['a validator reading', 'validator', get_token, (cast) => ({ token_id: cast.victim })],
  ['a validator inspecting', 'validator', validate_token, (cast) => ({ token_id: cast.victim })],
  ['rotating a management key', 'bound', rotate_token, (cast) => ({ token_id: cast.admin }), 'not_found'],
  ['revoking a management key', 'limited', revoke_token, (cast) => ({ token_id: cast.admin }), 'not_found'],
  [
    'widening its own row',
    'limited',
    update_token,
    (cast) => ({ token_id: cast.limitedId, allowed_ips: null }),
    'not_found',
  ],
  [
    'any address from an address-bound key',
    'limited',
    create_token,
    () => ({ name: 'x', allowed_ips: ['0.0.0.0/1'], expires_in_days: 1 }),
  ],
  [
    'a wider range',
    'limited',
    create_token,
    () => ({ name: 'x', allowed_ips: ['10.0.0.0/7'], expires_in_days: 1 }),
  ],
  [
    'a range beside its own',
    'limited',
    create_token,
    () => ({ name: 'x', allowed_ips: ['10.1.0.0/16', '192.168.0.0/16'], expires_in_days: 1 }),
  ],
  ['a v6 range', 'limited', create_token, () => ({ name: 'x', allowed_ips: ['::/1'], expires_in_days: 1 })],
  ['a later expiry than its own', 'expiring', create_token, () => ({ name: 'x', expires_in_days: 30 })],
  ['no expiry from an expiring key', 'expiring', create_token, () => ({ name: 'x', expires_at: null })],
  [
    'a later expiry by update',
    'expiring',
    update_token,
    (cast) => ({ token_id: cast.sibling, expires_in_days: 30 }),
  ],
  [
    'rotating a token that outlives the caller',
    'expiring',
    rotate_token,
    (cast) => ({ token_id: cast.victim }),
  ],
  ['rotating a token with wider addresses', 'limited', rotate_token, (cast) => ({ token_id: cast.victim })],
  [
    'updating a token with wider addresses',
    'limited',
    update_token,
    (cast) => ({ token_id: cast.victim, name: 'x' }),
  ],
  [
    'creating in another project',
    'bound',
    create_token,
    (cast) => ({ name: 'x', project_id: cast.otherProject }),
  ],
  [
    'rotating a token of another project',
    'bound',
    rotate_token,
    (cast) => ({ token_id: cast.victim }),
    'not_found',
  ],
  [
    'naming a server of another project',
    'bound',
    create_token,
    (cast) => ({ name: 'x', access: { servers: [cast.foreignServer] } }),
    'not_found',
  ],
  [
    'giving a token a server of another project',
    'bound',
    update_token,
    (cast) => ({ token_id: cast.owners, access: { servers: [cast.foreignServer] } }),
    'not_found',
  ],
  ['a user key editing itself', 'userKey', update_token, (cast) => ({ token_id: cast.userKeyId, name: 'x' })],
  [
    'a user key lifting its address list',
    'userKey',
    update_token,
    (cast) => ({ token_id: cast.userKeyId, allowed_ips: null }),
  ],
  [
    'a user key lifting its expiry',
    'userKey',
    update_token,
    (cast) => ({ token_id: cast.userKeyId, expires_in_days: 300 }),
  ],
  [
    'a user key giving itself all servers',
    'userKey',
    update_token,
    (cast) => ({ token_id: cast.userKeyId, access: { all_servers: true } }),
  ],
  [
    'a user key adding itself to a group',
    'userKey',
    add_groups,
    (cast) => ({ token_id: cast.userKeyId, group_ids: [cast.group] }),
  ],
  [
    'a user key leaving its groups',
    'userKey',
    remove_groups,
    (cast) => ({ token_id: cast.userKeyId, group_ids: [cast.group] }),
  ],
  [
    'a user key switching itself',
    'userKey',
    set_token_enabled,
    (cast) => ({ token_id: cast.userKeyId, enabled: true }),
  ],
  [
    "a user key rotating its owner's token of another project",
    'userKey',
    rotate_token,
    (cast) => ({ token_id: cast.victim }),
    'not_found',
  ],
  [
    "a user key reading its owner's token of another project",
    'userKey',
    get_token,
    (cast) => ({ token_id: cast.victim }),
    'not_found',
  ],
  [
    "a user key reading another owner's token of its project",
    'userKey',
    get_token,
    (cast) => ({ token_id: cast.sibling }),
    'not_found',
  ],
  [
    'a user key creating for another owner',
    'userKey',
    create_token,
    (cast) => ({ name: 'x', owner_id: cast.otherUser }),
  ],
  [
    'a user key creating in another project',
    'userKey',
    create_token,
    (cast) => ({ name: 'x', project_id: cast.otherProject }),
  ],
  [
    'a user key making a token without an end',
    'wholeProject',
    create_token,
    () => ({ name: 'x', expires_at: null }),
  ],
  [
    'a user key making a token with other addresses',
    'userKey',
    create_token,
    () => ({ name: 'x', allowed_ips: ['192.168.0.1'] }),
  ],
  [
    'a user key making a token that outlives it',
    'userKey',
    create_token,
    () => ({ name: 'x', expires_in_days: 100 }),
  ],
  [
    'a user key making a token with all servers it has not',
    'userKey',
    create_token,
    () => ({ name: 'x', access: { all_servers: true } }),
  ],
  [
    'a user key making a token with another server of its project',
    'userKey',
    create_token,
    (cast) => ({ name: 'x', access: { servers: [cast.secondServer] } }),
  ],
  [
    'a user key making a token with a foreign server',
    'wholeProject',
    create_token,
    (cast) => ({ name: 'x', access: { servers: [cast.foreignServer] } }),
  ],
  [
    'a user key naming a group it may not see',
    'wholeProject',
    create_token,
    (cast) => ({ name: 'x', access: { groups: [cast.group] } }),
    'not_found',
  ],
  [
    'a user key adding a group it may not see',
    'wholeProject',
    add_groups,
    (cast) => ({ token_id: cast.owners, group_ids: [cast.group] }),
    'not_found',
  ],
  [
    'a user key widening a token beyond its own reach',
    'userKey',
    update_token,
    (cast) => ({ token_id: cast.owners, access: { servers: [cast.secondServer] } }),
  ],
  [
    'a user key rotating a token that reaches further',
    'userKey',
    rotate_token,
    (cast) => ({ token_id: cast.owners }),
  ],
  ['a user key validating', 'userKey', validate_token, (cast) => ({ token: cast.victimSecret })],
]
