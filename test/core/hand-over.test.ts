import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Caller, Dialogue } from '../../src/core/context.ts'
import { invoke } from '../../src/core/invoke.ts'
import { signIn } from '../../src/core/sign-in.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { create_user } from '../../tools/users/create_user.ts'
import { update_user } from '../../tools/users/update_user.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { plantKey } from '../support/world.ts'

describe.each(databases)('a person who is asked to collect a secret, on $name', (one) => {
  let instance: Instance
  let asked: Parameters<NonNullable<Dialogue['visit']>>[0][]
  beforeEach(async () => {
    instance = await openInstance(one)
    asked = []
  })
  afterEach(() => instance.close())

  /** Makes a token, or gives the caller itself another secret, as a client does whose person says this. */
  async function made(
    secret: string,
    action: 'accept' | 'cancel',
    { nonce = 'one', meanwhile = async () => {}, signal = new AbortController().signal, self = '' } = {},
  ) {
    const { core } = instance
    const caller: Caller = {
      actor: await instance.actor(secret),
      via: 'mcp',
      ip: '127.0.0.1',
      client: null,
      request_id: 'req_test',
      dialogue: {
        nonce,
        signal,
        progress: () => undefined,
        async visit(question) {
          asked.push(question)
          await meanwhile()
          return { action, content: {} }
        },
      },
    }
    const host = { ...core.host, revealBase: async () => 'http://127.0.0.1:1/' }
    const own = { ...core, host }
    return self === ''
      ? invoke(own, caller, create_token, { name: 'asked for' })
      : invoke(own, caller, rotate_token, { token_id: self })
  }

  const count = async () => (await instance.call('admin', list_magic_tokens, {})).tokens.length

  it.each(['accept', 'cancel'] as const)(
    'R12: a key that is revoked before they %s makes nothing any more',
    async (action) => {
      const { id, secret } = await plantKey(instance, 'management')
      const meanwhile = async () => void (await instance.call('admin', revoke_management_key, { key_id: id }))
      expect(await refusal(made(secret, action, { meanwhile }))).toBe('unauthenticated')
      expect(await count()).toBe(0)
    },
  )

  it('a call that was given up while they were asked makes nothing', async () => {
    const { secret } = await plantKey(instance, 'management')
    expect(await refusal(made(secret, 'accept', { signal: AbortSignal.abort() }))).toBe('conflict')
    expect(await count()).toBe(0)
  })

  it('R7: the question is the same each time the same call comes, and its yes makes one secret', async () => {
    const { secret } = await plantKey(instance, 'management')
    const { delivery } = await made(secret, 'accept')
    expect(await refusal(made(secret, 'accept'))).toBe('conflict')
    await made(secret, 'accept', { nonce: 'two' })
    expect(asked[1]).toEqual(asked[0])
    expect(asked[2]?.url).not.toBe(asked[0]?.url)
    expect(delivery).toEqual({
      kind: 'link',
      url: asked[0]?.url,
      expires_at: expect.any(String),
      next: expect.stringContaining('sign in'),
    })
    expect(await count()).toBe(2)
  })

  it('R7: who signed in with a password that is another one by now, or is switched off by now, collects nothing', async () => {
    const [email, password] = ['ada@example.test', 'correct horse battery']
    const { user } = await instance.call('admin', create_user, { email, password })
    const person = await signIn(instance.core, { email, password, via: 'web', ip: null })
    const { id, secret } = await plantKey(instance, 'access', { owner_id: user.id })
    const { delivery } = await made(secret, 'accept', { self: id })
    const code = delivery.url?.split('/').at(-1) ?? ''
    const stale = { ...person, proof: 'of another password' }
    expect(await refusal(instance.call(stale, redeem_link, { code }))).toBe('unauthenticated')
    await instance.call('admin', update_user, { user_id: user.id, enabled: false })
    expect(await refusal(instance.call(person, redeem_link, { code }))).toBe('not_found')
    await instance.call('admin', update_user, { user_id: user.id, enabled: true })
    expect((await instance.call(person, redeem_link, { code })).secret).toMatch(/^mcpt_/)
  })
})
