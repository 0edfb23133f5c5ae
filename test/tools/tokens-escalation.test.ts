import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
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
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import {
  contents,
  makeToken,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  plantUser,
  stateTables,
} from '../support/world.ts'

const day = 86_400_000

/** Who tries, and on whom; filled before each run. */
interface Cast {
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

const attempts: Attempt[] = [
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
    'not_found',
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

describe.each(databases)('escalation on $name', (database) => {
  let instance: Instance
  let cast: Cast
  beforeAll(async () => {
    instance = await openInstance(database)
    const end = new Date(instance.clock.now + 5 * day).toISOString()
    const [own, other] = [await plantProject(instance), await plantProject(instance)]
    const second = await plantServer(instance, { config_id: own.config_id })
    const owner_id = own.user_id
    const project_id = own.project_id
    const victim = await makeToken(instance, { owner_id })
    const sibling = await makeToken(instance, { project_id, allowed_ips: ['10.0.0.1'], expires_in_days: 1 })
    const limits = { allowed_ips: '["10.0.0.0/8"]', expires_at: end }
    const key = await plantKey(instance, 'user_key', { owner_id, project_id, ...limits })
    await instance.core.store.write((db) =>
      db.insertInto('token_servers').values({ token_id: key.id, server_id: own.server.id }).execute(),
    )
    const owners = await makeToken(instance, {
      owner_id,
      project_id,
      allowed_ips: ['10.0.0.1'],
      expires_in_days: 1,
      access: { servers: [own.server.id, second.id] },
    })
    const actor = async (planted: Promise<{ secret: string }>) =>
      instance.actor((await planted).secret, '10.0.0.9')
    const limited = await plantKey(instance, 'management', { allowed_ips: '["10.0.0.0/8"]' })
    cast = {
      access: await instance.actor((await makeToken(instance)).secret),
      limited: await instance.actor(limited.secret, '10.0.0.9'),
      limitedId: limited.id,
      bound: await actor(plantKey(instance, 'management', { project_id })),
      expiring: await actor(plantKey(instance, 'management', { expires_at: end })),
      reader: await actor(plantKey(instance, 'management', { role: 'reader' })),
      validator: await actor(plantKey(instance, 'management', { role: 'validator' })),
      userKey: await instance.actor(key.secret, '10.0.0.9'),
      userKeyId: key.id,
      wholeProject: await actor(plantKey(instance, 'user_key', { owner_id, project_id, all_servers: 1 })),
      end,
      victim: victim.id,
      victimSecret: victim.secret,
      sibling: sibling.id,
      owners: owners.id,
      otherProject: other.project_id,
      ownProject: project_id,
      otherUser: await plantUser(instance),
      admin: (await plantKey(instance, 'management', { role: 'admin' })).id,
      group: await plantGroup(instance, [second.id]),
      ownServer: own.server.id,
      secondServer: second.id,
      foreignServer: other.server.id,
    }
  })
  afterAll(() => instance.close())

  it('R15: there are at least 40 attempts', () => {
    expect(attempts.length).toBeGreaterThanOrEqual(40)
  })

  it.each(attempts)('R15: %s does not succeed', async (_, who, operation, input, code = 'forbidden') => {
    const before = await contents(instance, stateTables)
    expect(
      await refusal(instance.call(cast[who] as Actor, operation, input(cast) as z.input<z.ZodObject>)),
    ).toBe(code)
    expect(await contents(instance, stateTables)).toBe(before)
    expect((await instance.core.verifier.verify(cast.victimSecret, {})).verdict).toBe('valid')
    await instance.core.uses.flush()
  })

  it('R15: what a limited caller makes without asking gets its limits', async () => {
    const limited = await instance.call(cast.limited, create_token, { name: 'x' })
    expect(limited.token.allowed_ips).toEqual(['10.0.0.0/8'])
    const expiring = await instance.call(cast.expiring, create_token, { name: 'x' })
    expect(expiring.token.expires_at).toBe(cast.end)
    const bound = await instance.call(cast.bound, create_token, { name: 'x' })
    expect(bound.token.project_id).toBe(cast.ownProject)
    const keyed = await instance.call(cast.userKey, create_token, {
      name: 'x',
      access: { servers: [cast.ownServer] },
    })
    expect(keyed.token).toMatchObject({
      kind: 'access',
      project_id: cast.ownProject,
      allowed_ips: ['10.0.0.0/8'],
      expires_at: cast.end,
    })
    expect(keyed.token.owner_id).not.toBeNull()
    const lifted = await instance.call(cast.userKey, update_token, {
      token_id: keyed.token.id,
      allowed_ips: null,
    })
    expect(lifted.token.allowed_ips).toEqual(['10.0.0.0/8'])
  })

  it('R15: expires_at null is a permission of its own, held by operators and admins', async () => {
    expect(
      (await instance.call('operator', create_token, { name: 'x', expires_at: null })).token.expires_at,
    ).toBeNull()
    expect(
      (await instance.call('admin', create_token, { name: 'x', expires_at: null })).token.expires_at,
    ).toBeNull()
  })
})
