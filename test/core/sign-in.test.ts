import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashPassword } from '../../src/core/password.ts'
import { signIn } from '../../src/core/sign-in.ts'
import { create_user } from '../../tools/users/create_user.ts'
import { update_user } from '../../tools/users/update_user.ts'
import { database, databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { median, timed } from '../support/timing.ts'
import { verifies } from '../support/verifies.ts'
import { plantUser, trailOf } from '../support/world.ts'

const password = 'correct horse battery staple'
let addresses = 0

/** Signs in from an address of its own, so that no earlier failure is in the way. */
function enter({ core }: Instance, email: string, secret: string, ip?: string) {
  addresses += 1
  const from = ip ?? `10.9.${addresses >> 8}.${addresses & 255}`
  return signIn(core, { email, password: secret, via: 'v1', ip: from })
}

describe.each(databases)('signing in on $name', (store) => {
  let instance: Instance
  let id: string
  beforeAll(async () => {
    instance = await openInstance(store)
    const make = (email: string, more: object = {}) => instance.call('admin', create_user, { email, ...more })
    id = (await make('user@example.com', { password, name: 'User' })).user.id
    await make('nopassword@example.com')
    const { user } = await make('disabled@example.com', { password })
    await instance.call('admin', update_user, { user_id: user.id, enabled: false })
  })
  afterAll(() => instance.close())

  it('answers the person, in whatever order of sign-ins and with others at the same time', async () => {
    const actor = await enter(instance, 'user@example.com', password)
    expect(actor).toEqual({ kind: 'user', id, name: 'user@example.com', proof: expect.any(String) })
    expect(JSON.stringify(actor)).not.toContain('argon2')
    const many = await Promise.all(
      Array.from({ length: 15 }, () => enter(instance, 'user@example.com', password)),
    )
    expect(new Set(many.map((one) => one.id))).toEqual(new Set([id]))
  })

  it(`${verifies('gassapi:generate:login:email-case')} takes the e-mail in any letter case, and trims nothing`, async () => {
    for (const email of ['User@Example.COM', 'USER@EXAMPLE.COM'])
      expect((await enter(instance, email, password)).id).toBe(id)
    for (const email of [' user@example.com', 'user@example.com ', 'user@example.com\n'])
      expect(await refusal(enter(instance, email, password))).toBe('unauthenticated')
    expect(await refusal(enter(instance, 'user@example.com', ` ${password}`))).toBe('unauthenticated')
  })

  const refused: [what: string, email: string, password: string, cause: string][] = [
    ['a wrong password', 'user@example.com', 'wrong password', 'wrong_password'],
    ['an unknown user', 'unknown@example.com', password, 'unknown_user'],
    ['a disabled user with the right password', 'disabled@example.com', password, 'user_disabled'],
    ['a disabled user with a wrong one', 'disabled@example.com', 'wrong password', 'user_disabled'],
    ['a user without a password', 'nopassword@example.com', password, 'no_password'],
    ['a malformed e-mail', 'not an address', password, 'unknown_user'],
    ['an e-mail with half a character', 'user\ud800@example.com', password, 'unknown_user'],
    ['an e-mail of 10,000 characters', `${'x'.repeat(10_000)}@example.com`, password, 'unknown_user'],
    ['a password that breaks the rules of today', 'user@example.com', 'x', 'wrong_password'],
    ['a password of 20,000 bytes', 'user@example.com', 'x'.repeat(20_000), 'wrong_password'],
    ['a password with NUL', 'user@example.com', `${password}\0`, 'wrong_password'],
  ]

  it.each(refused)(
    `${verifies('gassapi:generate:audit:event')} R31: refuses %s like everything else; only the trail says why`,
    async (...wrong) => {
      const [, email, secret, cause] = wrong
      await instance.core.tallies.flush()
      const rows = await trailOf(instance, async () => {
        const error = await refusalError(enter(instance, email, secret, '192.0.2.77'))
        const { code, message, reason, entity, id: about, field, retry_after } = error
        expect({ code, message, reason, entity, about, field, retry_after }).toEqual({
          code: 'unauthenticated',
          message: 'The e-mail or the password is wrong.',
          reason: 'sign_in',
        })
        await instance.core.tallies.flush()
      })
      expect(rows).toMatchObject([
        { action: 'sign_in_refused', outcome: 'denied', actor_kind: 'nobody', ip: '192.0.2.77', via: 'v1' },
      ])
      const [row] = rows
      expect(JSON.parse(row?.details ?? '')).toEqual({ count: 1, cause })
      const known = cause !== 'unknown_user'
      expect(row?.target_id?.startsWith('usr_') ?? false).toBe(known)
      for (const never of [secret, email]) {
        if (never.length > 1) expect(JSON.stringify([rows, instance.log])).not.toContain(never)
      }
    },
  )

  it('R29: after 20 failures the 21st is not looked at, another address signs in, and a slot opens in 3 seconds', async () => {
    const { clock, core } = instance
    const from = '198.51.100.20'
    const wrong = Array.from({ length: 20 }, () => 'wrong')
    for (const secret of wrong) await refusal(enter(instance, 'User@example.com', secret, from))
    const rows = await trailOf(instance, async () => {
      const refusedNow = await refusalError(enter(instance, 'user@EXAMPLE.com', password, from))
      expect(refusedNow).toMatchObject({ code: 'rate_limited', reason: 'sign_in', retry_after: 3 })
      await core.tallies.flush()
    })
    expect(rows.map((row) => row.action).sort()).toEqual(['sign_in_limited', 'sign_in_refused'])
    expect((await enter(instance, 'user@example.com', password)).id).toBe(id)
    clock.pass(3_000)
    expect((await enter(instance, 'user@example.com', password, from)).id).toBe(id)
    clock.pass(120_000)
  })

  it('R29: an attempt that the gate turns away uses up nothing', async () => {
    const from = '198.51.100.21'
    const all = Array.from({ length: 20 }, () => enter(instance, 'user@example.com', password, from))
    const codes = (await Promise.allSettled(all)).map((one) =>
      one.status === 'fulfilled' ? 'ok' : String(one.reason.reason),
    )
    expect(codes.filter((code) => code === 'ok')).toHaveLength(17)
    expect(codes.filter((code) => code === 'gate')).toHaveLength(3)
    const again = Array.from({ length: 15 }, () => enter(instance, 'user@example.com', password, from))
    expect(await Promise.all(again)).toHaveLength(15)
  })

  it('R6: a planted digest that would cost a gigabyte, and one that is none, are a refused sign-in', async () => {
    const planted = `$argon2id$v=19$m=1048576,t=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
    for (const password_hash of [planted, '', 'x']) {
      const user = await plantUser(instance, { password_hash })
      const [code, took] = await timed(() => refusal(enter(instance, `${user}@example.com`, password)))
      expect([password_hash, code]).toEqual([password_hash, 'unauthenticated'])
      expect(took).toBeLessThan(1_000)
    }
  })
})

describe('the time a refused sign-in takes', () => {
  it(`${verifies('gassapi:generate:login:same-time')} R31: is the same whether the user exists or not, is disabled or has no password`, async () => {
    const instance = await openInstance(database('sqlite'))
    const password_hash = await hashPassword(password)
    const rounds = 40
    const plant = async (columns: { password_hash?: string; enabled?: number }) =>
      `${(await plantUser(instance, columns)).toLowerCase()}@example.com`
    const times: Record<string, number[]> = { known: [], unknown: [], disabled: [], 'no password': [] }
    for (let round = 0; round < rounds; round++) {
      const emails = {
        known: await plant({ password_hash }),
        unknown: `nobody${round}@example.com`,
        disabled: await plant({ password_hash, enabled: 0 }),
        'no password': await plant({}),
      }
      for (const [who, email] of Object.entries(emails)) {
        const [code, took] = await timed(() => refusal(enter(instance, email, 'wrong')))
        expect(code).toBe('unauthenticated')
        times[who]?.push(took)
      }
    }
    await instance.close()
    const known = median(times['known'] ?? [])
    for (const [who, some] of Object.entries(times)) {
      expect(median(some) / known, who).toBeGreaterThan(0.9)
      expect(median(some) / known, who).toBeLessThan(1.1)
    }
  })
})
