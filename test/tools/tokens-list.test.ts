import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import {
  makeToken,
  nextId,
  type Project,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  times,
} from '../support/world.ts'

type Asked = Partial<z.input<typeof list_magic_tokens.input>>
const day = 86_400_000

describe.each(databases)('list_magic_tokens on $name', (database) => {
  let instance: Instance
  let project: Project
  let server: { id: string; slug: string }
  let group: string
  const ids: Record<string, string> = {}
  const at = (ms: number) => new Date(instance.clock.now + ms).toISOString()
  const list = (input: Asked = {}, as: Parameters<Instance['call']>[0] = 'reader') =>
    instance.call(as, list_magic_tokens, input)
  /** The names of the tokens below that a filter finds, in their order. */
  const named = async (input: Asked) => {
    const { tokens: found, total } = await list({ limit: 100, ...input })
    expect(total).toBe(found.length)
    return found.map((token) => token.name)
  }

  beforeAll(async () => {
    instance = await openInstance(database)
    project = await plantProject(instance)
    server = await plantServer(instance)
    group = await plantGroup(instance, [server.id])
    const made: [string, Parameters<typeof makeToken>[1]][] = [
      ['plain', {}],
      ['permanent', { expires_at: null, description: 'The NIGHTLY Build' }],
      ['soon', { expires_in_days: 2 }],
      ['past', { expires_at: at(1_000) }],
      ['off', {}],
      ['off-past', { expires_at: at(1_000) }],
      ['gone', {}],
      ['gone-off', {}],
      ['grouped', { access: { groups: [group] } }],
      ['served', { access: { servers: [server.id] } }],
      ['all', { access: { all_servers: true } }],
      [
        'project-all',
        { project_id: project.project_id, owner_id: project.user_id, access: { all_servers: true } },
      ],
      ['project-group', { project_id: project.project_id, access: { groups: [group] } }],
      ['100%_\\done', {}],
      ['1000 done', {}],
      ['ÄÖÜ', {}],
    ]
    for (const [name, input] of made) {
      const { id, secret } = await makeToken(instance, { name, ...input })
      ids[name] = id
      if (name === 'served') await instance.core.verifier.verify(secret, {})
    }
    const change = (name: string) => ({ token_id: ids[name] ?? '' })
    for (const name of ['off', 'off-past', 'gone-off'])
      await instance.call('operator', set_token_enabled, { ...change(name), enabled: false })
    for (const name of ['gone', 'gone-off']) await instance.call('operator', revoke_token, change(name))
    await plantKey(instance, 'management')
    instance.clock.pass(2_000)
  })
  afterAll(() => instance.close())

  const everything = [
    'plain',
    'permanent',
    'soon',
    'past',
    'off',
    'off-past',
    'gone',
    'gone-off',
    'grouped',
    'served',
    'all',
    'project-all',
    'project-group',
    '100%_\\done',
    '1000 done',
    'ÄÖÜ',
  ]

  it('shows every token newest first, or oldest first, and never a management key', async () => {
    expect(await named({ order: 'asc' })).toEqual(everything)
    expect(await named({})).toEqual([...everything].reverse())
  })

  it.each<[Asked['status'], string[]]>([
    [['revoked'], ['gone', 'gone-off']],
    [['disabled'], ['off', 'off-past']],
    [['expired'], ['past']],
    [['active'], everything.filter((name) => !/^(past|off|gone)/.test(name))],
    [
      ['revoked', 'expired'],
      ['past', 'gone', 'gone-off'],
    ],
    [['active', 'disabled', 'expired', 'revoked'], everything],
  ])('status %j finds exactly the tokens shown in such a state', async (status, names) => {
    expect(await named({ status, order: 'asc' })).toEqual(names)
    const { tokens: found } = await list({ status, limit: 100 })
    for (const token of found) expect(status).toContain(token.status)
  })

  it('filters by group, server, project, owner and their combinations', async () => {
    expect(await named({ group_id: group, order: 'asc' })).toEqual(['grouped', 'project-group'])
    expect(await named({ server_id: server.id, order: 'asc' })).toEqual(['grouped', 'served', 'all'])
    expect(await named({ server_id: project.server.id, order: 'asc' })).toEqual(['all', 'project-all'])
    expect(await named({ project_id: project.project_id, order: 'asc' })).toEqual([
      'project-all',
      'project-group',
    ])
    expect(await named({ owner_id: project.user_id })).toEqual(['project-all'])
    expect(await named({ project_id: project.project_id, group_id: group })).toEqual(['project-group'])
    expect(await named({ owner_id: project.user_id, status: ['revoked'] })).toEqual([])
  })

  it('R16: nothing is found by what does not exist, a deleted server included', async () => {
    const gone = await plantServer(instance)
    await instance.core.store.write((db) =>
      db
        .updateTable('servers')
        .set({ deleted_at: at(0) })
        .where('id', '=', gone.id)
        .execute(),
    )
    for (const id of ['mgsr_x', '*', server.slug, gone.id]) expect(await named({ server_id: id })).toEqual([])
    for (const id of ['x', '%']) {
      expect(await named({ group_id: id })).toEqual([])
      expect(await named({ project_id: id })).toEqual([])
      expect(await named({ owner_id: id })).toEqual([])
    }
  })

  it('text is a substring of name or description, letter case ignored, and has no wildcards', async () => {
    expect(await named({ text: 'nightly' })).toEqual(['permanent'])
    expect(await named({ text: 'SERVED' })).toEqual(['served'])
    expect(await named({ text: '%_\\' })).toEqual(['100%_\\done'])
    expect(await named({ text: '%' })).toEqual(['100%_\\done'])
    expect(await named({ text: "' or 1=1 --" })).toEqual([])
    expect(await named({ text: 'ÄÖ' })).toEqual(['ÄÖÜ'])
  })

  it('expires_before and unused_since find what is due and what can go', async () => {
    expect(await named({ expires_before: at(3 * day), order: 'asc' })).toEqual(['soon', 'past', 'off-past'])
    expect(await named({ expires_before: at(3 * day), status: ['active'] })).toEqual(['soon'])
    await instance.core.uses.flush()
    expect(await named({ unused_since: at(-1), order: 'asc' })).toEqual(everything)
    expect(await named({ unused_since: at(-60_000), order: 'asc' })).toEqual(
      everything.filter((name) => name !== 'served'),
    )
  })

  it('R15: a key bound to a project, and a user key, list the tokens of their own scope only', async () => {
    const management = await instance.actor(
      (await plantKey(instance, 'management', { project_id: project.project_id, role: 'reader' })).secret,
    )
    expect((await list({ order: 'asc' }, management)).tokens.map((token) => token.name)).toEqual([
      'project-all',
      'project-group',
    ])
    expect((await list({}, management)).total).toBe(2)
    const key = await plantKey(instance, 'user_key', {
      owner_id: project.user_id,
      project_id: project.project_id,
      revoked_at: null,
      name: 'own key',
    })
    expect(
      (await list({ order: 'asc' }, await instance.actor(key.secret))).tokens.map((token) => token.name),
    ).toEqual(['project-all', 'own key'])
    await instance.call('admin', revoke_token, { token_id: key.id })
  })

  it.each(['asc', 'desc'] as const)(
    'pages in %s order never skip or repeat while tokens are inserted and changed',
    async (order) => {
      const before = new Set((await all({ order })).map((token) => token.id))
      const seen: string[] = []
      let cursor: string | undefined
      let inserts: Promise<unknown>[] = []
      do {
        inserts.push(makeToken(instance, { name: 'meanwhile' }), makeToken(instance, { name: 'meanwhile' }))
        const page = await list({ order, limit: 3, ...(cursor ? { cursor } : {}) })
        seen.push(...page.tokens.map((token) => token.id))
        const [first] = page.tokens
        if (first?.status === 'active')
          inserts.push(
            instance.call('operator', update_token, { token_id: first.id, name: first.name ?? '' }),
            instance.call('operator', rotate_token, { token_id: first.id }),
          )
        if (inserts.length > 20) {
          await Promise.all(inserts)
          inserts = []
        }
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined && seen.length < before.size + 30)
      await Promise.all(inserts)
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen).toEqual(order === 'asc' ? [...seen].sort() : [...seen].sort().reverse())
      for (const id of before) expect(seen).toContain(id)
    },
  )

  async function all(input: Asked) {
    const found = []
    let cursor: string | undefined
    do {
      const page = await list({ ...input, limit: 100, ...(cursor ? { cursor } : {}) })
      found.push(...page.tokens)
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    return found
  }

  it('the last page has no cursor, also when it is exactly full', async () => {
    const status: Asked['status'] = ['expired', 'disabled']
    expect((await list({ status, limit: 3 })).next_cursor).toBeNull()
    expect((await list({ status, limit: 2 })).next_cursor).not.toBeNull()
  })

  it('a cursor goes on from a row that has gone from the filter meanwhile', async () => {
    const [a, b, c] = [
      await makeToken(instance, { name: 'walk a' }),
      await makeToken(instance, { name: 'walk b' }),
      await makeToken(instance, { name: 'walk c' }),
    ]
    const first = await list({ text: 'walk', status: ['active'], order: 'asc', limit: 1 })
    expect(first.tokens.map((token) => token.id)).toEqual([a.id])
    await instance.call('operator', revoke_token, { token_id: a.id })
    const rest = await list({
      text: 'walk',
      status: ['active'],
      order: 'asc',
      limit: 5,
      cursor: first.next_cursor ?? '',
    })
    expect(rest.tokens.map((token) => token.id)).toEqual([b.id, c.id])
  })

  it('total is exact up to 1,000, then null unless include_total asks', async () => {
    const now = times()
    const count = (await list({ include_total: true })).total ?? 0
    const plant = (n: number) =>
      instance.core.store.write(async (db) => {
        for (let at = 0; at < n; at++) {
          const id = nextId('token')
          const secret_hash = Buffer.from(id.padEnd(32, '0')).subarray(-32)
          await tokens.insert(db, {
            id,
            kind: 'access',
            role: null,
            source: 'operation',
            name: 'bulk',
            metadata: '{}',
            all_servers: 0,
            enabled: 1,
            generation: 1,
            pepper_id: 1,
            prefix: 'x',
            last4: 'x',
            created_by: null,
            secret_hash,
            ...now,
          })
        }
      })
    await plant(1_000 - count)
    expect((await list({})).total).toBe(1_000)
    await plant(1)
    expect((await list({})).total).toBeNull()
    expect((await list({ include_total: true })).total).toBe(1_001)
    expect((await list({ status: ['revoked'] })).total).toBeGreaterThan(1)
    const page = await list({ limit: 100 })
    expect(page.tokens).toHaveLength(100)
    expect(page.next_cursor).not.toBeNull()
  })

  it('R20: a cursor that is not one of ours is refused', async () => {
    for (const cursor of ['x', '====', 'bm90IGFuIGlk=', Buffer.from('a b').toString('base64url')]) {
      expect(await refusal(list({ cursor }))).toBe('invalid_input')
    }
  })
})
