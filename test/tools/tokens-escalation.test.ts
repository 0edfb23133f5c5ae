import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { Actor } from '../../src/core/actor.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases } from '../support/databases.ts'
import { attempts, type Cast } from '../support/escalation.ts'
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
  // Uses noted so far are stored, so that they are no difference between before and after.
  beforeEach(() => instance.core.uses.flush())

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
