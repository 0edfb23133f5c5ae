import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GuardOptions, identityOf, tokenVerifier } from '../../src/guard/index.ts'
import { databases } from '../support/databases.ts'
import { openWorld, type World } from './world.ts'

describe.each(databases)('the verifier for the SDKs on $name', (database) => {
  let world: World
  let options: GuardOptions
  beforeAll(async () => {
    world = await openWorld(database)
    options = { url: world.road.url, key: world.key, server: 'weather', onError: () => undefined }
  })
  afterAll(() => world.close())

  class InvalidTokenError extends Error {}
  class InsufficientScopeError extends Error {}
  class TooManyRequestsError extends Error {}
  class ServerError extends Error {}
  const errors = { InvalidTokenError, InsufficientScopeError, TooManyRequestsError, ServerError }

  it('a token without an end is good for an hour, as the SDKs want one; the identity says that it has none', async () => {
    const forever = await world.token({ expires_at: null })
    const { verifyAccessToken } = tokenVerifier({ ...options, errors })
    const info = await verifyAccessToken(forever.secret)
    expect(info).toMatchObject({ token: forever.secret, clientId: forever.id, scopes: ['weather'] })
    expect(Math.abs(info.expiresAt - Date.now() / 1_000 - 3_600)).toBeLessThan(60)
    expect(info.extra).toMatchObject({ token_id: forever.id, expires_at: null })
    expect(identityOf(info).token_id).toBe(forever.id)
    const ending = await world.token({ expires_in_days: 2 })
    const { token } = await world.op('get_token', { token_id: ending.id })
    const { expiresAt } = await verifyAccessToken(ending.secret)
    expect(expiresAt).toBe(Math.floor(Date.parse(token.expires_at) / 1_000))
  })

  it('the address can be told, for tokens that are bound to one', async () => {
    const { secret } = await world.token({ allowed_ips: ['192.0.2.1'] })
    let at: string | undefined
    const { verifyAccessToken } = tokenVerifier({ ...options, errors, address: () => at })
    await expect(verifyAccessToken(secret)).rejects.toBeInstanceOf(InsufficientScopeError)
    at = '192.0.2.1'
    expect((await verifyAccessToken(secret)).scopes).toEqual(['weather'])
  })

  it('it raises the errors of the SDK in use: by class of the first, by code of the second', async () => {
    class OAuthError extends Error {
      code: string
      constructor(code: string, message: string) {
        super(message)
        this.code = code
      }
    }
    const elsewhere = await world.token({ access: { servers: [world.servers.other] } })
    const down = { ...options, url: 'http://127.0.0.1:1' }
    const first = (more = options) => tokenVerifier({ ...more, errors })
    const second = (more = options) => tokenVerifier({ ...more, errors: { OAuthError } })
    await expect(first().verifyAccessToken('x')).rejects.toBeInstanceOf(InvalidTokenError)
    await expect(first().verifyAccessToken('a b')).rejects.toBeInstanceOf(InvalidTokenError)
    await expect(first().verifyAccessToken(elsewhere.secret)).rejects.toBeInstanceOf(InsufficientScopeError)
    await expect(first(down).verifyAccessToken('x')).rejects.toBeInstanceOf(ServerError)
    await expect(second().verifyAccessToken('x')).rejects.toMatchObject({ code: 'invalid_token' })
    await expect(second().verifyAccessToken(elsewhere.secret)).rejects.toMatchObject({
      code: 'insufficient_scope',
    })
    await expect(second(down).verifyAccessToken('x')).rejects.toMatchObject({ code: 'server_error' })
  })

  it('is not made without the errors of an SDK', () => {
    for (const none of [undefined, {}, { OAuthError: 'x' }]) {
      expect(() => tokenVerifier({ ...options, errors: none as never })).toThrow(TypeError)
    }
  })
})
