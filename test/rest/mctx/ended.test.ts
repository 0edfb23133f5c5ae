import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken } from '../../support/world.ts'
import { openWorld, unauthorized, type World } from './world.ts'

describe.each(databases)('tokens that are ended on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const status = async (id: string, as: string) => (await world.ask(`GET /api/tokens/${id}`, { as })).status

  it(`${verifies('mctx:tokens:revoke:permanent')} nothing brings a revoked token back: no edit, no rotation, no enabling and no restore`, async () => {
    const { id, token } = await world.make()
    const kept = await world.make()
    const { backup } = await world.op('create_backup', {})
    await world.ask(`DELETE /api/tokens/${id}`)
    const tries = [
      await world.ask(`PATCH /api/tokens/${id}`, { body: { expires_in_days: 90 } }),
      await world.ask(`POST /api/tokens/${id}/rotate`),
      await world.call('set_token_enabled', { token_id: id, enabled: true }),
      await world.call('update_token', { token_id: id, expires_in_days: 3 }),
    ]
    for (const { status } of tries) expect(status).toBe(409)
    const { revoked_since } = await world.op('restore_backup', { data: backup })
    expect(revoked_since).toBeGreaterThan(0)
    expect([await status(id, token), await status(kept.id, kept.token)]).toEqual([401, 200])
    const { json } = await world.ask(`GET /api/tokens/${id}`, { as: world.keys.admin })
    expect(json.status).toBe('revoked')
  })

  it(`${verifies('mctx:tokens:revoke:password-reset')} resetting a user's password revokes every token the user owns`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const owned = [
      await makeToken(world.beside, { owner_id }),
      await makeToken(world.beside, { owner_id, project_id }),
      await world.make({}, world.userKey.secret).then(({ id, token }) => ({ id, secret: token })),
      await world.newUserKey(world.project),
    ]
    const others = [await makeToken(world.beside, { project_id }), await makeToken(world.beside)]
    for (const { id, secret } of [...owned, ...others]) expect(await status(id, secret)).toBe(200)
    const reset = await world.send(`/api/v1/users/${owner_id}/reset-password`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.keys.admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ new_password: 'a new and longer password' }),
    })
    expect([reset.status, reset.text]).toEqual([200, expect.any(String)])
    for (const { id, secret } of owned) {
      const refused = await world.ask(`GET /api/tokens/${id}`, { as: secret })
      expect([refused.status, refused.text]).toEqual([401, unauthorized])
      expect((await world.ask(`GET /api/tokens/${id}`)).json.status).toBe('revoked')
    }
    for (const { id, secret } of others) expect(await status(id, secret)).toBe(200)
  })
})
