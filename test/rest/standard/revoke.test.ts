import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { leak, plantKey, trailOf } from '../../support/world.ts'
import { badSecrets, openWorld, shown, type World } from './world.ts'

describe.each(databases)('POST /oauth2/revoke on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  const alive = async (secret: string) => (await world.introspect(secret)).json.active
  const row = (target_id: string | null, changed: boolean) => ({
    action: 'revoke_secret',
    outcome: 'ok',
    target_id,
    via: 'oauth2',
    actor_id: world.keys.operator.id,
    details: JSON.stringify({ changed }),
  })

  it('RFC 7009: the token is dead for every face from the next request on, and one row says who did it', async () => {
    const made = await world.token({ access: { all_servers: true } })
    expect(await alive(made.secret)).toBe(true)
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.revoke(made.secret)
      expect([answer.status, answer.text, answer.headers.get('cache-control')]).toEqual([200, '', 'no-store'])
    })
    expect(shown(rows)).toEqual([row(made.id, true)])
    expect(leak(Buffer.from(JSON.stringify(rows)), made.secret)).toBe(-1)
    expect(await alive(made.secret)).toBe(false)
    expect((await world.verify(made.secret)).status).toBe(401)
    expect((await world.call('validate_token', { token: made.secret })).json.verdict).toBe('revoked')
    expect((await world.op('get_token', { token_id: made.id })).token.status).toBe('revoked')
  })

  it('whatever is no live token in reach gets the very same answer, changes nothing and leaves one row', async () => {
    const { project_id } = world.project
    const { secret: bound, id } = await plantKey(world.beside, 'management', { role: 'operator', project_id })
    const outside = await world.token()
    const ask = async (secret: string, as?: string) => {
      const rows = await trailOf(world.beside, async () => {
        const { status, text, headers } = await world.revoke(secret, as)
        const { date: _, ...rest } = Object.fromEntries(headers)
        answers.add(JSON.stringify([status, text, rest]))
      })
      return shown(rows)
    }
    const answers = new Set<string>()
    const {
      disabled,
      expired,
      'not yet valid': later,
      'of a disabled owner': owned,
      ...bad
    } = await badSecrets(world)
    for (const secret of [...Object.values(bad), 'x'.repeat(2_000), world.adminKey, world.keys.reader.secret])
      expect(await ask(secret)).toEqual([row(null, false)])
    expect(await ask(outside.secret, bound)).toEqual([{ ...row(null, false), actor_id: id }])
    expect(await alive(outside.secret)).toBe(true)
    // What only sleeps is ended.
    for (const secret of [disabled, expired, later, owned]) {
      expect(await ask(secret ?? '')).toEqual([row(expect.any(String) as never, true)])
      expect(await ask(secret ?? '')).toEqual([row(null, false)])
    }
    const good = await world.token({ project_id })
    expect(await ask(good.secret, bound)).toEqual([{ ...row(good.id, true), actor_id: id }])
    expect(answers.size).toBe(1)
  })

  it('R44: a predecessor revokes its token while its grace lasts, both secrets die, and later it does nothing', async () => {
    const old = await world.token()
    const { delivery } = await world.op('rotate_token', { token_id: old.id, grace_seconds: 60 })
    expect((await world.revoke(old.secret)).status).toBe(200)
    expect([await alive(old.secret), await alive(delivery.secret)]).toEqual([false, false])

    const late = await world.token()
    const rotated = await world.op('rotate_token', { token_id: late.id, grace_seconds: 60 })
    world.clock.pass(60_000)
    expect((await world.revoke(late.secret)).status).toBe(200)
    expect(await alive(rotated.delivery.secret)).toBe(true)

    const plain = await world.token()
    const next = await world.op('rotate_token', { token_id: plain.id })
    await world.revoke(plain.secret)
    expect(await alive(next.delivery.secret)).toBe(true)
  })

  it('R13, R38: who may only ask, and every token, itself included, revokes nothing; each attempt is on record', async () => {
    const made = await world.token()
    const owned = { owner_id: world.project.user_id, project_id: world.project.project_id }
    const userKey = await plantKey(world.beside, 'user_key', owned)
    const callers: [string, { id: string; secret: string }, string][] = [
      ['a validator', world.keys.validator, 'tokens:write'],
      ['a reader', world.keys.reader, 'tokens:write'],
      ['the token itself', made, 'tokens:write'],
      ['a user key', userKey, 'tokens:validate'],
    ]
    for (const [who, { id, secret }, scope] of callers) {
      for (const target of [made.secret, userKey.secret, 'nonsense']) {
        const rows = await trailOf(world.beside, async () => {
          const { status, json, headers } = await world.revoke(target, secret)
          expect([who, status, json.error, headers.get('www-authenticate')]).toEqual([
            who,
            403,
            'insufficient_scope',
            `Bearer error="insufficient_scope", scope="${scope}"`,
          ])
        })
        expect(shown(rows)).toEqual([{ ...row(null, false), outcome: 'denied', actor_id: id, details: '{}' }])
      }
    }
    expect([await alive(made.secret), await alive(userKey.secret)]).toEqual([true, true])
    expect((await world.revoke(made.secret, world.keys.admin.secret)).status).toBe(200)
    expect(await alive(made.secret)).toBe(false)
  })

  it('R7: the open link to the secret of a revoked token ends with it', async () => {
    const { token, delivery } = await world.op('create_token', { name: 'linked', delivery: 'link' })
    const code = delivery.code ?? delivery.url.split('#')[1]
    const secret = await world.beside.core.store.read
      .selectFrom('tokens')
      .select('id')
      .where('id', '=', token.id)
      .executeTakeFirstOrThrow()
    const { delivery: rotated } = await world.op('rotate_token', { token_id: secret.id, delivery: 'inline' })
    const again = await world.op('rotate_token', { token_id: secret.id, delivery: 'link', grace_seconds: 60 })
    await world.revoke(rotated.secret)
    for (const one of [code, again.delivery.code ?? again.delivery.url.split('#')[1]])
      expect((await world.call('redeem_link', { code: one }, null)).status).toBeGreaterThanOrEqual(400)
  })

  it('POST /v1/revoke_secret tells whether there was one', async () => {
    const made = await world.token()
    const ask = async () => (await world.call('revoke_secret', { token: made.secret })).json
    expect(await ask()).toEqual({ changed: true, token_id: made.id })
    expect(await ask()).toEqual({ changed: false, token_id: null })
  })

  it('50 at once revoke it once', async () => {
    const made = await world.token()
    const rows = await trailOf(world.beside, async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => world.revoke(made.secret)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    })
    expect(rows.filter(({ target_id }) => target_id === made.id)).toHaveLength(1)
    expect(rows).toHaveLength(50)
  })
})
