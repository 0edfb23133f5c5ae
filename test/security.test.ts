import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isUnavailable } from '../db/errors.ts'
import { openStore } from '../db/open.ts'
import { openApp } from '../src/app.ts'
import type { Actor } from '../src/core/actor.ts'
import { invoke } from '../src/core/invoke.ts'
import { makeSecret } from '../src/domain/secret.ts'
import { rulesWithin, toolAllowed } from '../src/domain/tool-rules.ts'
import { makeLog } from '../src/log.ts'
import { verify_audit } from '../tools/audit/verify_audit.ts'
import { create_group } from '../tools/groups/create_group.ts'
import { create_management_key } from '../tools/system/create_management_key.ts'
import { list_management_keys } from '../tools/system/list_management_keys.ts'
import { redeem_link } from '../tools/system/redeem_link.ts'
import { revoke_management_key } from '../tools/system/revoke_management_key.ts'
import { update_settings } from '../tools/system/update_settings.ts'
import { add_groups } from '../tools/tokens/add_groups.ts'
import { create_token } from '../tools/tokens/create_token.ts'
import { rotate_token } from '../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../tools/tokens/set_token_enabled.ts'
import { update_token } from '../tools/tokens/update_token.ts'
import { validate_token } from '../tools/tokens/validate_token.ts'
import { databases, type Place } from './support/databases.ts'
import { type Instance, openInstance, refusal } from './support/instance.ts'
import {
  makeToken,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  setPolicy,
  trailOf,
} from './support/world.ts'

describe.each(databases)('attacks on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const planted = async (
    ...args: Parameters<typeof plantKey> extends [unknown, ...infer Rest] ? Rest : never
  ) => instance.actor((await plantKey(instance, ...args)).secret, '10.0.0.9')

  it.each([
    ['half a character', 'x\ud800'],
    ['half of a cut pair', `${'a'.repeat(199)}😀`],
    ['NUL', 'a\0b'],
  ])('R39: a client whose name holds %s does not break the chain', async (_, name) => {
    const caller = {
      actor: { kind: 'local', id: 'tester', role: 'reader' },
      via: 'stdio',
      ip: null,
      client: { name, version: name },
      request_id: 'req_x',
    } as const
    expect(await refusal(invoke(instance.core, caller, create_token, { name: 'x' }))).toBe('forbidden')
    expect(await instance.call('admin', verify_audit, {})).toMatchObject({ ok: true })
  })

  it('R40: a key named like a secret leaves no secret in the trail', async () => {
    const name = `my ${makeSecret('mcpt')}`
    const actor = await planted('management', { name })
    const [row] = await trailOf(instance, () => instance.call(actor, create_token, { name: 'x' }))
    expect(row?.actor_name).toBe('my [secret]')
  })

  it('R38: an attempt beyond the own limits leaves a row, whoever finds it out', async () => {
    const { project_id } = await plantProject(instance)
    const bound = await planted('management', { project_id })
    const rows = await trailOf(instance, () => refusal(instance.call(bound, create_group, { name: 'x' })))
    expect(rows).toMatchObject([{ action: 'create_group', outcome: 'denied', actor_kind: 'management' }])
  })

  it('R38: a predecessor that rotates with a key nobody used leaves a row', async () => {
    const { id, secret } = await makeToken(instance)
    await instance.call('operator', rotate_token, { token_id: id, grace_seconds: 60 })
    const old = await instance.actor(secret)
    const input = { token_id: id, idempotency_key: 'a'.repeat(16) }
    const rows = await trailOf(instance, async () =>
      expect(await refusal(instance.call(old, rotate_token, input))).toBe('unauthenticated'),
    )
    expect(rows).toMatchObject([{ action: 'rotate_token', outcome: 'denied', target_id: id }])
  })

  it('R38: a forbidden setting of the delivery leaves a row and nothing else', async () => {
    await setPolicy(instance, { delivery_kinds: ['link'] })
    const rows = await trailOf(instance, () =>
      refusal(instance.call('operator', create_token, { name: 'x', delivery: 'inline' }, 'stdio')),
    )
    await setPolicy(instance, { delivery_kinds: ['link', 'inline', 'file'] })
    expect(rows).toMatchObject([{ action: 'create_token', outcome: 'denied' }])
  })

  it.each([
    ['addresses', { allowed_ips: '["10.0.0.0/8"]' }],
    ['end', { expires_at: new Date(Date.now() + 3_600_000).toISOString() }],
  ])(
    'R15: a key with limited %s does not widen a wider token by groups or by switching it on',
    async (_, limits) => {
      const group = await plantGroup(instance, [(await plantServer(instance)).id])
      const { id } = await makeToken(instance)
      const limited = await planted('management', limits)
      expect(await refusal(instance.call(limited, add_groups, { token_id: id, group_ids: [group] }))).toBe(
        'forbidden',
      )
      await instance.call(limited, set_token_enabled, { token_id: id, enabled: false })
      expect(await refusal(instance.call(limited, set_token_enabled, { token_id: id, enabled: true }))).toBe(
        'forbidden',
      )
    },
  )

  describe('R15: a user key with tool rules', () => {
    const own = { allow: ['list_*', 'get_*'], deny: ['*/get_secret'] }
    const narrower = { allow: ['list_*'], deny: ['*/get_secret', '*/list_all'] }
    let key: Actor
    let owned: { owner_id: string; project_id: string }
    beforeAll(async () => {
      const { user_id, project_id } = await plantProject(instance)
      owned = { owner_id: user_id, project_id }
      key = await planted('user_key', { ...owned, all_servers: 1, tool_rules: JSON.stringify(own) })
    })

    it('makes tokens with its own rules or narrower ones', async () => {
      const made = await instance.call(key, create_token, { name: 'x' })
      expect(made.token.access.tool_rules).toEqual(own)
      const input = { token_id: made.token.id, access: { tool_rules: narrower } }
      expect((await instance.call(key, update_token, input)).token.access.tool_rules).toEqual(narrower)
      const lifted = { token_id: made.token.id, access: { tool_rules: null } }
      expect((await instance.call(key, update_token, lifted)).token.access.tool_rules).toEqual(own)
      const kept = { token_id: made.token.id, access: { all_servers: true } }
      expect((await instance.call(key, update_token, kept)).token.access.tool_rules).toEqual(own)
    })

    it.each([{ allow: ['*'], deny: ['*/get_secret'] }, { allow: ['list_*'] }, { deny: ['*/get_secret'] }])(
      'gives no wider ones: %j',
      async (tool_rules) => {
        expect(await refusal(instance.call(key, create_token, { name: 'x', access: { tool_rules } }))).toBe(
          'forbidden',
        )
      },
    )

    it('neither takes over nor changes a token that may call more', async () => {
      const { id } = await makeToken(instance, owned)
      expect(await refusal(instance.call(key, rotate_token, { token_id: id }))).toBe('forbidden')
      expect(await refusal(instance.call(key, update_token, { token_id: id, name: 'y' }))).toBe('forbidden')
    })
  })

  it('R7: what a terminal was given inline is not repeated to a model', async () => {
    const input = { name: 'x', idempotency_key: 'b'.repeat(16) }
    const { delivery } = await instance.call('operator', create_token, input, 'cli')
    expect(delivery.kind).toBe('inline')
    expect(await refusal(instance.call('operator', create_token, input, 'stdio'))).toBe('conflict')
    expect((await instance.call('operator', create_token, input, 'v1')).delivery).toEqual(delivery)
  })

  it.each([
    [
      'open to all',
      (path: string) => {
        mkdirSync(path)
        chmodSync(path, 0o777)
      },
    ],
    ['a link to elsewhere', (path: string, elsewhere: string) => symlinkSync(elsewhere, path)],
  ])('R4: delivery by file makes its folder private where it was %s', async (_, plant) => {
    const folder = join(instance.place.dataDir, 'secrets')
    const elsewhere = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
    rmSync(folder, { recursive: true, force: true })
    plant(folder, elsewhere)
    await instance.call('operator', create_token, { name: 'x', delivery: 'file' }, 'stdio')
    expect(lstatSync(folder).mode & 0o170777).toBe(0o040700)
    expect(readdirSync(folder)).toHaveLength(1)
    expect(readdirSync(elsewhere)).toEqual([])
    rmSync(elsewhere, { recursive: true })
  })

  it('R45: guessing codes takes no write transaction', async () => {
    let writes = 0
    const store = { ...instance.core.store }
    store.write = (work) => {
      writes += 1
      return instance.core.store.write(work)
    }
    const caller = {
      actor: { kind: 'nobody' },
      via: 'v1',
      ip: null,
      client: null,
      request_id: 'req_x',
    } as const
    const guess = invoke({ ...instance.core, store }, caller, redeem_link, { code: makeSecret('once') })
    expect(await refusal(guess)).toBe('not_found')
    expect(writes).toBe(0)
  })

  it('R16: a tool without its server is refused where any server denies it', async () => {
    const { secret } = await makeToken(instance, { access: { tool_rules: { deny: ['weather/delete_*'] } } })
    const asked = (tool: string) => instance.call('reader', validate_token, { token: secret, tool })
    expect((await asked('delete_all')).verdict).toBe('tool_not_in_scope')
    expect((await asked('read')).verdict).toBe('valid')
  })
})

describe.each(databases)('TOKENWRIGHT_ADMIN_KEY on $name', (database) => {
  let place: Place
  beforeEach(async () => {
    place = await database.fresh()
  })
  afterEach(() => place.remove())

  const log = makeLog('silent')
  const start = (adminKey?: string) =>
    openApp({ dataDir: place.dataDir, location: place.location, serving: false, log, adminKey })
  const admin: Actor = { kind: 'local', id: 'tester', role: 'admin' }
  const caller = { actor: admin, via: 'cli', ip: null, client: null, request_id: 'req_x' } as const

  it('R14: a revoked one refuses the start with a sentence', async () => {
    const key = makeSecret('mcpm')
    const app = await start(key)
    const { keys } = await invoke(app.core, caller, list_management_keys, {})
    await invoke(app.core, caller, create_management_key, { name: 'other', role: 'admin' })
    await invoke(app.core, caller, revoke_management_key, { key_id: keys[0]?.id ?? '' })
    await app.close()
    await expect(start(key)).rejects.toMatchObject({ name: 'StartRefused' })
  })

  it('R14: a replaced one is not brought back by a process with an old environment', async () => {
    const [first, second] = [makeSecret('mcpm'), makeSecret('mcpm')]
    await (await start(first)).close()
    await (await start(second)).close()
    await expect(start(first)).rejects.toMatchObject({ name: 'StartRefused' })
    const app = await start(second)
    expect((await app.core.verifier.verify(second, {}, { management: true })).verdict).toBe('valid')
    expect((await app.core.verifier.verify(first, {}, { management: true })).verdict).toBe('unknown')
    await app.close()
  })

  it('R14: the secret of another key refuses the start with a sentence', async () => {
    const app = await start()
    const { secret } = await invoke(app.core, caller, create_management_key, { name: 'r', role: 'reader' })
    await app.close()
    await expect(start(secret)).rejects.toMatchObject({ name: 'StartRefused' })
  })

  it('R14: it goes on working when the setting key_prefix changes', async () => {
    const key = makeSecret('mcpm')
    const app = await start(key)
    await invoke(app.core, caller, update_settings, { key_prefix: 'abcd' })
    await app.close()
    await (await start(key)).close()
  })
})

describe('R18: a database that may not be looked at', () => {
  it('is unavailable, on every call', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
    const data = join(folder, 'data')
    const store = await openStore({ location: join(data, 'tokenwright.db'), busyTimeout: 20 })
    renameSync(data, join(folder, 'gone'))
    symlinkSync(data, data)
    await new Promise((resolve) => setTimeout(resolve, 120))
    for (let n = 0; n < 3; n++) {
      const error: unknown = await store.ping().catch((thrown: unknown) => thrown)
      expect(isUnavailable(error)).toBe(true)
    }
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
})

describe('tool rules', () => {
  it('R15: lie within others only if they say no wherever those do', () => {
    expect(rulesWithin(null, null)).toBe(true)
    expect(rulesWithin(null, { deny: ['a'] })).toBe(false)
    expect(rulesWithin({ allow: ['a'], deny: ['b', 'c'] }, { allow: ['a', 'd'], deny: ['b'] })).toBe(true)
    expect(rulesWithin({ deny: ['b'] }, { allow: ['a'], deny: ['b'] })).toBe(false)
    expect(rulesWithin({ allow: ['a'] }, { deny: ['b'] })).toBe(false)
  })

  it('R16: a pattern for one server allows nothing where the server is not known', () => {
    expect(toolAllowed({ allow: ['weather/read'] }, null, 'read')).toBe(false)
    expect(toolAllowed({ allow: ['read'] }, null, 'read')).toBe(true)
  })
})
