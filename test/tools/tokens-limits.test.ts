import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { contents, makeToken, plantKey, plantProject, stateTables, trailOf } from '../support/world.ts'

type Limits = { requests?: number; per_seconds?: number; max_uses?: number } | null

describe.each(databases)('limits of tokens on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const limited = (limits: Limits) => makeToken(instance, { access: { limits } })
  const update = (token_id: string, limits: Limits, as: Parameters<Instance['call']>[0] = 'operator') =>
    instance.call(as, update_token, { token_id, access: { limits } })
  const get = async (token_id: string) => {
    await instance.core.uses.flush()
    return (await instance.call('reader', get_token, { token_id })).token
  }
  const validate = (secret: string, as: Parameters<Instance['call']>[0] = 'validator') =>
    instance.call(as, validate_token, { token: secret })
  const verdicts = async (secret: string, times: number) => {
    const seen: string[] = []
    for (let n = 0; n < times; n++) seen.push((await validate(secret)).verdict)
    return seen
  }
  /** Moves the clock to the first ms of an hour. */
  const toHour = () => {
    instance.clock.now = (Math.floor(instance.clock.now / 3_600_000) + 1) * 3_600_000
  }

  it.each<[string, Limits]>([
    ['requests in a window', { requests: 1_000_000, per_seconds: 86_400 }],
    ['uses at all', { max_uses: 1_000_000_000 }],
    ['both', { requests: 1, per_seconds: 1, max_uses: 1 }],
    ['none', null],
  ])('create: %s are stored and shown as they were given', async (_, limits) => {
    const { id, token } = await limited(limits)
    expect(token.access.limits).toEqual(limits)
    expect((await get(id)).access.limits).toEqual(limits)
    const { tokens } = await instance.call('reader', list_magic_tokens, {})
    expect(tokens.find((one) => one.id === id)?.access.limits).toEqual(limits)
  })

  it('create: without limits there are none, and nothing is counted', async () => {
    const { id, secret } = await makeToken(instance)
    expect((await validate(secret)).limit).toBeUndefined()
    expect(await get(id)).toMatchObject({ access: { limits: null }, usage: null })
  })

  it.each<[string, object]>([
    ['nothing', {}],
    ['requests without a window', { requests: 1 }],
    ['a window without requests', { per_seconds: 1 }],
    ['a window without requests beside uses', { per_seconds: 1, max_uses: 1 }],
    ['no requests', { requests: 0, per_seconds: 1 }],
    ['too many requests', { requests: 1_000_001, per_seconds: 1 }],
    ['no window', { requests: 1, per_seconds: 0 }],
    ['a window of more than a day', { requests: 1, per_seconds: 86_401 }],
    ['no uses', { max_uses: 0 }],
    ['too many uses', { max_uses: 1_000_000_001 }],
    ['half a use', { max_uses: 1.5 }],
    ['a text', { max_uses: '5' }],
    ['a member that is null', { max_uses: null }],
    ['an unknown member', { max_uses: 1, per_minute: 1 }],
    ['no object', []],
  ])(
    'R20: %s is bad input of create and update, which names the member, and changes nothing',
    async (_, limits) => {
      const { id } = await limited({ max_uses: 5 })
      const before = await contents(instance, [...stateTables, 'audit'])
      const access = { limits: limits as never }
      for (const call of [
        () => instance.call('operator', create_token, { name: 'n', access }),
        () => instance.call('operator', update_token, { token_id: id, access }),
      ]) {
        const { code, issues } = await refusalError(call())
        expect([code, issues[0]?.path.slice(0, 2)]).toEqual(['invalid_input', ['access', 'limits']])
      }
      expect(await contents(instance, [...stateTables, 'audit'])).toBe(before)
    },
  )

  it('each validation with the secret counts once, all of them until the limit, and tells callers of every role where it stands', async () => {
    toHour()
    const { id, secret } = await limited({ requests: 3, per_seconds: 3_600, max_uses: 100 })
    for (const [as, remaining] of [
      ['validator', 2],
      ['reader', 1],
      ['operator', 0],
    ] as const)
      expect(await validate(secret, as)).toMatchObject({
        valid: true,
        verdict: 'valid',
        limit: { limit: 3, remaining, reset: 3_600, retry_after: null },
      })
    instance.clock.pass(600_000)
    const refused = { limit: 3, remaining: 0, reset: 3_000, retry_after: 3_000 }
    expect(await validate(secret)).toEqual({
      valid: false,
      verdict: 'limit_reached',
      reason: 'The token has reached its limit.',
      limit: refused,
    })
    const told = await validate(secret, 'reader')
    expect(told).toMatchObject({ valid: false, verdict: 'limit_reached', limit: refused })
    expect(told.trace?.at(-1)).toEqual({ check: 'limit_reached', outcome: 'failed' })
    expect(await get(id)).toMatchObject({
      use_count: 3,
      usage: {
        window_count: 3,
        window_ends_at: new Date(instance.clock.now + 3_000_000).toISOString(),
        uses: 3,
      },
    })
    instance.clock.pass(3_000_000)
    expect((await get(id)).usage).toMatchObject({ window_count: 0, uses: 3 })
    expect((await validate(secret)).valid).toBe(true)
  })

  it('an inspection by id says that the limit would be reached, and is no use', async () => {
    const { id, secret } = await limited({ max_uses: 1 })
    const inspect = () => instance.call('reader', validate_token, { token_id: id })
    for (let n = 0; n < 3; n++) {
      const { would_be, trace, limit } = await inspect()
      expect([would_be, limit?.remaining]).toEqual(['valid', 1])
      expect(trace?.at(-1)).toEqual({ check: 'limit_reached', outcome: 'passed' })
    }
    expect(await verdicts(secret, 2)).toEqual(['valid', 'limit_reached'])
    expect(await inspect()).toMatchObject({
      would_be: 'limit_reached',
      limit: { remaining: 0, retry_after: null },
    })
  })

  it('whoever may not ask about a token uses nothing of it up', async () => {
    const [project, other] = [await plantProject(instance), await plantProject(instance)]
    const { id, secret } = await makeToken(instance, {
      project_id: project.project_id,
      access: { limits: { max_uses: 1 } },
    })
    const key = { role: 'validator', project_id: other.project_id } as const
    const stranger = await instance.actor((await plantKey(instance, 'management', key)).secret)
    expect((await validate(secret, stranger)).verdict).toBe('invalid')
    expect(await get(id)).toMatchObject({ use_count: 0, usage: { uses: 0 } })
    expect((await validate(secret)).verdict).toBe('valid')
  })

  it('the token that calls our own operations counts nothing, and does so at its limit as well', async () => {
    const { id, secret } = await limited({ max_uses: 1 })
    expect(await verdicts(secret, 2)).toEqual(['valid', 'limit_reached'])
    const self = await instance.actor(secret)
    expect((await instance.call(self, get_token, { token_id: id })).token).toMatchObject({
      usage: { uses: 1 },
      access: { limits: { max_uses: 1 } },
    })
  })

  it('update: limits replace those before as a whole, null lifts them, and without them they stay', async () => {
    const { id } = await limited({ requests: 5, per_seconds: 60 })
    const changes: [Limits, boolean][] = [
      [{ max_uses: 7 }, true],
      [{ max_uses: 7 }, false],
      [{ requests: 2, per_seconds: 1, max_uses: 7 }, true],
      [null, true],
      [null, false],
    ]
    for (const [limits, changed] of changes) {
      const done = await update(id, limits)
      expect([done.changed, done.token.access.limits]).toEqual([changed, limits])
      expect((await get(id)).access.limits).toEqual(limits)
    }
    await update(id, { max_uses: 9 })
    await instance.call('operator', update_token, {
      token_id: id,
      name: 'other',
      access: { all_servers: true },
    })
    expect((await get(id)).access).toMatchObject({ all_servers: true, limits: { max_uses: 9 } })
  })

  it('update: uses that are counted stay counted: a limit below them is reached at once, one above leaves the rest', async () => {
    const { id, secret } = await limited({ max_uses: 10 })
    await verdicts(secret, 4)
    await update(id, { max_uses: 3 })
    expect(await verdicts(secret, 1)).toEqual(['limit_reached'])
    await update(id, { max_uses: 5 })
    expect(await verdicts(secret, 2)).toEqual(['valid', 'limit_reached'])
    await update(id, null)
    expect(await verdicts(secret, 3)).toEqual(['valid', 'valid', 'valid'])
    await update(id, { max_uses: 6 })
    expect(await verdicts(secret, 2)).toEqual(['valid', 'limit_reached'])
  })

  it('update: a window goes on under another number of requests, and begins anew with another length', async () => {
    toHour()
    const { id, secret } = await limited({ requests: 5, per_seconds: 3_600 })
    await verdicts(secret, 4)
    await update(id, { requests: 4, per_seconds: 3_600, max_uses: 50 })
    expect(await verdicts(secret, 1)).toEqual(['limit_reached'])
    await update(id, { requests: 6, per_seconds: 3_600, max_uses: 50 })
    expect(await verdicts(secret, 3)).toEqual(['valid', 'valid', 'limit_reached'])
    await update(id, { requests: 6, per_seconds: 60, max_uses: 8 })
    expect((await get(id)).usage).toMatchObject({ window_count: 0, uses: 6 })
    expect(await verdicts(secret, 3)).toEqual(['valid', 'valid', 'limit_reached'])
  })

  it('neither a rotation nor switching off and on gives uses back', async () => {
    const { id, secret } = await limited({ max_uses: 2 })
    expect(await verdicts(secret, 1)).toEqual(['valid'])
    for (const enabled of [false, true])
      await instance.call('operator', set_token_enabled, { token_id: id, enabled })
    const { delivery } = await instance.call('operator', rotate_token, { token_id: id })
    expect(await verdicts(delivery.secret ?? '', 2)).toEqual(['valid', 'limit_reached'])
  })

  it('a revoked token is revoked before it is limited, and still shows what was counted', async () => {
    const { id, secret } = await limited({ max_uses: 1 })
    await verdicts(secret, 2)
    await instance.call('operator', revoke_token, { token_id: id })
    expect((await validate(secret, 'reader')).verdict).toBe('revoked')
    expect((await get(id)).usage?.uses).toBe(1)
  })

  it('R38: the one row of a change says which limits were set', async () => {
    const limits = { requests: 5, per_seconds: 60 }
    let id = ''
    const rows = await trailOf(instance, async () => {
      id = (await limited(limits)).id
      await update(id, { max_uses: 3 })
      await update(id, null)
    })
    expect(rows.map((row) => [row.action, JSON.parse(row.details).limits])).toEqual([
      ['create_token', limits],
      ['update_token', { max_uses: 3 }],
      ['update_token', null],
    ])
  })

  describe('R15: a user key', () => {
    let project: Awaited<ReturnType<typeof plantProject>>
    beforeAll(async () => {
      project = await plantProject(instance)
    })
    const keyOf = async (columns: object) => {
      const own = { owner_id: project.user_id, project_id: project.project_id, all_servers: 1, ...columns }
      const { id, secret } = await plantKey(instance, 'user_key', own)
      const actor = await instance.actor(secret)
      // Its first use is stored when it suits the store.
      await instance.core.uses.flush()
      return { id, actor }
    }
    const make = async (actor: Awaited<ReturnType<typeof keyOf>>['actor'], limits?: Limits) => {
      const access = limits === undefined ? {} : { access: { limits } }
      return (await instance.call(actor, create_token, { name: 'handed out', ...access })).token
    }
    const window = { limit_requests: 10, limit_seconds: 60 }

    it.each<[string, object, Limits | undefined, Limits]>([
      ['nothing', window, undefined, { requests: 10, per_seconds: 60 }],
      ['null', { ...window, max_uses: 5 }, null, { requests: 10, per_seconds: 60, max_uses: 5 }],
      [
        'half of it',
        { ...window, max_uses: 5 },
        { max_uses: 2 },
        { requests: 10, per_seconds: 60, max_uses: 2 },
      ],
      [
        'fewer in a longer window',
        window,
        { requests: 9, per_seconds: 61 },
        { requests: 9, per_seconds: 61 },
      ],
      ['what it has not itself', window, { max_uses: 3 }, { requests: 10, per_seconds: 60, max_uses: 3 }],
      [
        'anything, having none',
        {},
        { requests: 1_000_000, per_seconds: 1 },
        { requests: 1_000_000, per_seconds: 1 },
      ],
      ['nothing, having none', {}, undefined, null],
    ])('that asks for %s gets no more than it has', async (_, columns, asked, got) => {
      const { actor } = await keyOf(columns)
      const token = await make(actor, asked)
      expect(token.access.limits).toEqual(got)
      if (asked !== undefined && got !== null)
        expect((await update(token.id, asked, actor)).token.access.limits).toEqual(got)
    })

    it.each<[string, object, Limits]>([
      ['more requests', window, { requests: 11, per_seconds: 60 }],
      ['as many in a shorter window', window, { requests: 10, per_seconds: 59 }],
      ['as many a second in a shorter window', window, { requests: 1, per_seconds: 6 }],
      ['more uses', { max_uses: 5 }, { max_uses: 6 }],
      [
        'more uses beside fewer requests',
        { ...window, max_uses: 5 },
        { requests: 1, per_seconds: 60, max_uses: 6 },
      ],
    ])('that asks for %s is refused, on record, with no effect', async (_, columns, asked) => {
      const { actor } = await keyOf(columns)
      const token = await make(actor)
      const before = await contents(instance, stateTables)
      const trail = await trailOf(instance, async () => {
        for (const call of [() => make(actor, asked), () => update(token.id, asked, actor)]) {
          const { code, reason } = await refusalError(call())
          expect([code, reason]).toEqual(['forbidden', 'beyond_own_limits'])
        }
      })
      expect(trail.map(({ outcome }) => outcome)).toEqual(['denied', 'denied'])
      expect(await contents(instance, stateTables)).toBe(before)
    })

    it('changes its own limits never, and nothing of a token that may be used more often than itself', async () => {
      const { id, actor } = await keyOf({ max_uses: 5 })
      expect(await refusal(update(id, { max_uses: 4 }, actor))).toBe('forbidden')
      const owned = { owner_id: project.user_id, project_id: project.project_id }
      for (const columns of [{ ...owned, max_uses: 6 }, owned]) {
        const wider = await plantKey(instance, 'access', columns)
        const change = { token_id: wider.id, name: 'renamed' }
        expect((await refusalError(instance.call(actor, update_token, change))).reason).toBe(
          'beyond_own_limits',
        )
        const rotation = instance.call(actor, rotate_token, { token_id: wider.id })
        expect((await refusalError(rotation)).reason).toBe('beyond_own_limits')
      }
    })
  })
})
