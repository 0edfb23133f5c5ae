import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { NewToken } from '../../db/schema.ts'
import { roles } from '../../src/core/permissions.ts'
import { lintRules, severityOf } from '../../src/domain/hygiene.ts'
import { lint_tokens } from '../../tools/access/lint_tokens.ts'
import { tools } from '../../tools/index.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import {
  contents,
  makeToken,
  nextId,
  type Project,
  plantKey,
  plantProject,
  plantServer,
  plantUser,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const day = 86_400_000
type Asked = Parameters<typeof lint_tokens.input.parse>[0] & object

describe.each(databases)('lint_tokens on $name', (database) => {
  let instance: Instance
  let project: Project
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())
  beforeEach(async () => {
    project = await plantProject(instance)
  })

  const lint = (asked: Asked = {}, as: Parameters<Instance['call']>[0] = 'reader') =>
    instance.call(as, lint_tokens, { limit: 100, ...asked })
  const ago = (days: number) => new Date(instance.clock.now - days * day).toISOString()
  const ahead = (days: number) => ago(-days)
  /** A token without a fault but the one these columns make. */
  const plant = (columns: Partial<NewToken> = {}, kind: 'access' | 'user_key' = 'access') =>
    plantKey(instance, kind, {
      project_id: project.project_id,
      created_at: ago(1),
      expires_at: ahead(20),
      ...columns,
    })
  /** What is found of one token of the project. */
  const found = async (id: string) =>
    (await lint({ project_id: project.project_id })).findings.filter(({ token }) => token.id === id)
  const rules = async (id: string) => (await found(id)).map(({ rule }) => rule)
  const perform = async ({ tool, arguments: asked }: { tool: string; arguments: object }) =>
    instance.call('admin', tools[tool as keyof typeof tools] as typeof rotate_token, asked as never)
  const setProject = (policy: object | null) =>
    instance.call('admin', update_project, { project_id: project.project_id, policy })

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: lint_tokens,
        roles: roles.filter((role) => role !== 'validator'),
        good: {},
        bad: [
          { rule: 'untidy' },
          { severity: 'fatal' },
          { limit: 0 },
          { limit: 101 },
          { cursor: 'x' },
          { project_id: '' },
          { owner_id: 1 },
        ],
      },
    ],
  )

  it('finds nothing wrong with a good token, one that is off or one that is revoked, changes nothing and leaves no row', async () => {
    const ids = [
      await plant(),
      await plant({ enabled: 0, expires_at: null, all_servers: 1, created_at: ago(500) }),
      await plant({ revoked_at: ago(1), expires_at: null, leaked_at: ago(2) }),
    ]
    await instance.core.uses.flush()
    const before = await contents(instance, stateTables)
    const rows = await trailOf(instance, async () => {
      for (const { id } of ids) expect(await found(id)).toEqual([])
    })
    expect(rows).toEqual([])
    expect(await contents(instance, stateTables)).toBe(before)
  })

  /** How each rule comes to be broken: the columns of a token, and the policy of its project. */
  const faults: Record<string, () => Promise<[Partial<NewToken>, object?]>> = {
    leaked: async () => [{ leaked_at: ago(1) }],
    owner_inactive: async () => [{ owner_id: await plantUser(instance, { enabled: 0 }) }],
    max_lifetime_days: async () => [{ expires_at: ahead(11) }, { max_lifetime_days: 10 }],
    require_expiry: async () => [{ expires_at: null }, { require_expiry: true }],
    require_allowed_ips: async () => [{ last_used_ip: '192.0.2.7' }, { require_allowed_ips: true }],
    dormant_days: async () => [{ last_used_at: ago(31), created_at: ago(60) }, { dormant_days: 30 }],
    no_expiry: async () => [{ expires_at: null }],
    all_servers: async () => [{ all_servers: 1 }],
    predecessor_open: async () => [
      { previous_until: ahead(1), previous_hash: Buffer.alloc(32, Math.random() * 256) },
    ],
    unused: async () => [{ created_at: ago(91), rotated_at: null, last_used_at: ago(90) }],
    rotation_due: async () => [{ created_at: ago(91), last_used_at: ago(1) }],
    expired: async () => [{ created_at: ago(200), expires_at: ago(31) }],
  }

  it.each(Object.keys(faults))('finds %s, and the call it names mends it', async (rule) => {
    const [columns, policy] = (await faults[rule]?.()) ?? [{}]
    if (policy !== undefined) await setProject(policy)
    const { id } = await plant(columns)
    const finding = (await found(id)).find((one) => one.rule === rule)
    expect(finding).toMatchObject({
      token: { id, name: expect.any(String) },
      severity: severityOf[rule as keyof typeof severityOf],
      detail: expect.stringMatching(/^[A-Z].*\.$/),
      mend: { arguments: { token_id: id } },
    })
    if (finding === undefined) return
    await perform(finding.mend)
    expect(await rules(id)).not.toContain(rule)
  })

  it('finds the tokens of an owner beyond the maximum: those that are off and those used least, and to revoke them is enough', async () => {
    const owner = { owner_id: project.user_id }
    const kept = await plant({ ...owner, last_used_at: ago(0) })
    const off = await plant({ ...owner, enabled: 0, last_used_at: ago(0) })
    const old = await plant({ ...owner, last_used_at: ago(5), created_at: ago(10) })
    const fresh = await plant(owner)
    await setProject({ max_live_tokens_per_owner: 2 })
    const beyond = await lint({ project_id: project.project_id, rule: 'max_live_tokens_per_owner' })
    expect(beyond.findings.map(({ token }) => token.id).sort()).toEqual([off.id, old.id].sort())
    for (const { mend } of beyond.findings) await perform(mend)
    expect((await lint({ owner_id: project.user_id })).findings).toEqual([])
    for (const { id } of [kept, fresh]) await instance.call('admin', rotate_token, { token_id: id })
  })

  it('finds the younger of two live tokens of one name, and gives it a name of its own', async () => {
    const name = `twin ${project.project_id}`
    const [first, second, dead] = [
      await plant({ name, revoked_at: ago(0) }),
      await plant({ name }),
      await plant({ name }),
    ]
    expect(await rules(first.id)).toEqual([])
    expect(await rules(second.id)).toEqual([])
    const [finding] = await found(dead.id)
    expect(finding?.rule).toBe('same_name')
    await perform(finding?.mend ?? { tool: '', arguments: {} })
    expect(await rules(dead.id)).toEqual([])
  })

  it('narrows a token that opens everything to what it opens now', async () => {
    const other = await plantServer(instance, { config_id: project.config_id })
    const { id } = await plant({ all_servers: 1 })
    const [finding] = await found(id)
    expect(finding?.mend).toEqual({
      tool: 'update_token',
      arguments: {
        token_id: id,
        access: { all_servers: false, servers: [project.server.id, other.id].sort() },
      },
    })
  })

  it('names no rotation that would be refused, and no habit beside the rule that says more', async () => {
    await setProject({ require_expiry: true, require_allowed_ips: true, max_lifetime_days: 10 })
    const { id } = await plant({
      expires_at: null,
      leaked_at: ago(2),
      created_at: ago(200),
      previous_until: ahead(1),
      previous_hash: Buffer.alloc(32, 7),
    })
    expect((await found(id)).map(({ rule, mend }) => [rule, mend.tool])).toEqual([
      ['leaked', 'revoke_token'],
      ['max_lifetime_days', 'update_token'],
      ['require_expiry', 'update_token'],
      ['require_allowed_ips', 'set_token_enabled'],
      ['predecessor_open', 'set_token_enabled'],
      ['unused', 'set_token_enabled'],
    ])
  })

  it('carrying out whatever it says, from the first finding on, leaves nothing to find', async () => {
    await setProject({ require_expiry: true, max_lifetime_days: 10, dormant_days: 60 })
    const faulty: Partial<NewToken>[] = [
      { expires_at: null, all_servers: 1, created_at: ago(200), last_used_at: ago(1) },
      { expires_at: null, all_servers: 1, not_before: ahead(15) },
      { leaked_at: ago(1), created_at: ago(200) },
      { expires_at: ago(40), created_at: ago(100) },
      { owner_id: await plantUser(instance, { enabled: 0 }), name: 'one' },
      { name: 'one' },
    ]
    for (const columns of faulty) await plant(columns)
    const asked = { project_id: project.project_id, limit: 1 }
    const done: string[] = []
    for (
      let [first] = (await lint(asked)).findings;
      first !== undefined;
      [first] = (await lint(asked)).findings
    ) {
      done.push(first.rule)
      await perform(first.mend)
      expect(done.length).toBeLessThan(20)
    }
    expect(done.length).toBeGreaterThan(6)
  })

  it('is bound by the policy of the instance for tokens of no project', async () => {
    const { id } = await makeToken(instance, { expires_in_days: 30 })
    await instance.call('admin', update_settings, { max_lifetime_days: 3, default_lifetime_days: 3 })
    try {
      const { findings } = await lint({ rule: 'max_lifetime_days' })
      const mine = findings.find(({ token }) => token.id === id)
      expect(mine?.mend).toEqual({ tool: 'update_token', arguments: { token_id: id, expires_in_days: 3 } })
    } finally {
      await setPolicy(instance, { max_lifetime_days: null, default_lifetime_days: 30 })
    }
  })

  it('pages through every finding once, in id order, whatever the length of a page', async () => {
    for (let n = 0; n < 5; n++)
      await plant({ expires_at: null, all_servers: 1, created_at: ago(100), last_used_at: ago(1) })
    const whole = await lint({ project_id: project.project_id })
    expect(whole).toMatchObject({ complete: true, next_cursor: null, looked_at: 5 })
    expect(whole.findings).toHaveLength(15)
    for (const limit of [1, 2, 4, 15]) {
      const seen: unknown[] = []
      let cursor: string | undefined
      do {
        const page = await lint({ project_id: project.project_id, limit, cursor })
        expect(page.findings.length).toBeLessThanOrEqual(limit)
        expect(page.complete).toBe(page.next_cursor === null)
        seen.push(...page.findings)
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined)
      expect(seen).toEqual(whole.findings)
    }
    const low = await lint({ project_id: project.project_id, severity: 'low' })
    expect(new Set(low.findings.map(({ rule }) => rule))).toEqual(new Set(['rotation_due']))
    expect((await lint({ project_id: project.project_id, rule: 'leaked' })).findings).toEqual([])
  })

  it('looks at 1,000 tokens a call at most, says that there are more, and gets to the last', async () => {
    const secret_hash = () => Buffer.from(nextId('token').padEnd(32).slice(-32))
    const like = await instance.core.store.read
      .selectFrom('tokens')
      .selectAll()
      .where('id', '=', (await plant()).id)
      .executeTakeFirstOrThrow()
    const rows = Array.from({ length: 2_400 }, (_, n) => ({
      ...like,
      id: nextId('token'),
      name: `many ${n}`,
      secret_hash: secret_hash(),
      ...(n === 2_399 ? { leaked_at: ago(1) } : {}),
    }))
    for (let at = 0; at < rows.length; at += 200)
      await instance.core.store.write((db) =>
        db
          .insertInto('tokens')
          .values(rows.slice(at, at + 200))
          .execute(),
      )
    let cursor: string | undefined
    const pages: { found: number; complete: boolean; looked_at: number }[] = []
    do {
      const page = await lint({ project_id: project.project_id, cursor })
      pages.push({ found: page.findings.length, complete: page.complete, looked_at: page.looked_at })
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(pages.map(({ found }) => found)).toEqual([0, 0, 1])
    expect(pages.map(({ complete }) => complete)).toEqual([false, false, true])
    expect(pages.reduce((sum, { looked_at }) => sum + looked_at, 0)).toBe(2_401)
  })

  it('R15: a user key and a key of a project see findings of their own tokens alone, and no name of others', async () => {
    const other = await plantProject(instance)
    const mine = { owner_id: project.user_id }
    const name = `shared ${project.project_id}`
    await plantKey(instance, 'access', { name, project_id: other.project_id })
    const own = await plant({ ...mine, name, expires_at: null })
    await plant({ name, expires_at: null })
    const key = await plant(mine, 'user_key')
    const actor = await instance.actor(key.secret)
    const { findings } = await lint({}, actor)
    expect(findings.map(({ token, rule }) => [token.id, rule])).toEqual([[own.id, 'no_expiry']])
    const bound = await plantKey(instance, 'management', { role: 'reader', project_id: other.project_id })
    const seen = await lint({}, await instance.actor(bound.secret))
    expect(seen.findings.map(({ rule }) => rule)).toEqual(['no_expiry'])
    expect(await refusal(lint({}, { kind: 'nobody' }))).toBe('unauthenticated')
  })

  it('knows a severity for every rule', () => {
    expect(Object.keys(severityOf)).toEqual(lintRules)
  })
})
