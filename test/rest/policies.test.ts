import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Policy } from '../../src/domain/settings.ts'
import { databases } from '../support/databases.ts'
import { setPolicy } from '../support/world.ts'
import { type World as Gassapi, openWorld as openGassapi } from './gassapi/world.ts'
import { type World as Mctx, openWorld as openMctx } from './mctx/world.ts'
import { sendAs } from './support.ts'

const endless = 'Tokens without an expiry are not allowed here: require_expiry is set.'
const open = 'Tokens without an address list are not allowed here: require_allowed_ips is set.'

describe.each(databases)('policies in the words of the dialects on $name', (database) => {
  let mctx: Mctx
  let gassapi: Gassapi
  beforeAll(async () => {
    mctx = await openMctx(database)
    gassapi = await openGassapi(database)
  })
  afterAll(async () => {
    await mctx.close()
    await gassapi.close()
  })
  const none = { require_expiry: false, require_allowed_ips: false, max_live_tokens_per_owner: null }
  afterEach(async () => {
    for (const { beside } of [mctx, gassapi]) await setPolicy(beside, none)
  })
  const set = (policy: Partial<Policy>) => setPolicy(mctx.beside, policy)

  it('Metorial: creations are refused with 400 and the reason, renewals with 409', async () => {
    const send = sendAs(mctx, mctx.adminKey)
    const { id } = (await send('POST /magic-mcp-tokens', { name: 'before' })).json
    for (const [policy, message] of [
      ['require_expiry', endless],
      ['require_allowed_ips', open],
    ] as const) {
      await setPolicy(mctx.beside, { ...none, [policy]: true })
      expect((await send('POST /magic-mcp-tokens', { name: 'x' })).json).toMatchObject({
        status: 400,
        code: 'bad_request',
        reason: policy,
        message,
      })
      expect((await send(`POST /magic-mcp-tokens/${id}/rotate`)).json).toMatchObject({
        status: 409,
        code: 'conflict',
        message: expect.stringContaining('update_token'),
      })
      expect((await send(`PATCH /magic-mcp-tokens/${id}`, { name: 'renamed' })).status).toBe(200)
    }
  })

  it('Enkrypt: keys without an end or a list are refused with 400, one too many with 409', async () => {
    const send = sendAs(mctx, mctx.adminKey)
    const { user_id, project_id } = mctx.project
    const generate = async () => {
      const { status, json } = await send(`POST /api/v1/users/${user_id}/api-keys`, { project_id })
      return [status, json.detail]
    }
    await set({ require_expiry: true })
    expect(await generate()).toEqual([400, endless])
    await set({ ...none, require_allowed_ips: true })
    expect(await generate()).toEqual([400, open])
    await set({ ...none, max_live_tokens_per_owner: 1 })
    expect(await generate()).toEqual([409, expect.stringContaining('max_live_tokens_per_owner')])
  })

  it('mctx: a list is asked for with -32602, a renewal and one token too many are conflicts', async () => {
    const made = await mctx.make({}, mctx.userKey.secret)
    const create = (as: string) => mctx.ask('POST /api/tokens', { as, body: { name: 'x' } })
    await set({ require_allowed_ips: true })
    expect((await create(mctx.keys.operator)).json.error).toEqual({
      code: -32602,
      message: expect.stringContaining('require_allowed_ips is set'),
    })
    const rotated = await mctx.ask(`POST /api/tokens/${made.id}/rotate`)
    expect([rotated.status, rotated.json.error.message]).toEqual([
      409,
      expect.stringContaining('set one with PATCH first'),
    ])
    await set({ ...none, max_live_tokens_per_owner: 2 })
    expect([(await create(mctx.userKey.secret)).status, (await create(mctx.keys.operator)).status]).toEqual([
      409, 201,
    ])
  })

  it('GASSAPI: no token is made against the policy, and the sentence says which rule it was', async () => {
    const refused = async (status: number, error: unknown) => {
      const answer = await gassapi.generate()
      const message = 'Failed to generate MCP token'
      expect([answer.status, answer.json]).toEqual([status, { success: false, message, error }])
    }
    const { beside } = gassapi
    await setPolicy(beside, { require_expiry: true })
    await refused(400, endless)
    await setPolicy(beside, { ...none, require_allowed_ips: true })
    await refused(400, open)
    await setPolicy(beside, { ...none, max_live_tokens_per_owner: 1 })
    expect((await gassapi.generate()).status).toBe(201)
    await refused(409, expect.stringContaining('max_live_tokens_per_owner'))
  })
})
