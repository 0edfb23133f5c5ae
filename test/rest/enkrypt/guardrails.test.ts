import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Backup, startChecksum } from '../../../src/domain/backup.ts'
import { backupTableNames } from '../../../src/domain/backup-tables.ts'
import { blockNames } from '../../../src/domain/guardrail-policy.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents } from '../../support/world.ts'
import { play } from '../support.ts'
import { lineOf, made, openWorld, refused, type World } from './support.ts'

const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }
const whole = {
  enabled: true,
  policy_name: 'Input Guardrail Policy',
  additional_config: { pii_redaction: true, keywords: ['a'], nested: { deep: [1, null, 'x'] } },
  block: ['policy_violation', 'injection_attack'],
}

describe.each(databases)('guardrail policies on $name', (database) => {
  let world: World
  let server: string
  let c: string
  beforeAll(async () => {
    world = await openWorld(database)
    c = (await world.config()).config_id
    mkdirSync(join(world.running.place.dataDir, 'exports'), { recursive: true })
  })
  afterAll(() => world.close())

  const fresh = async () => {
    server = `/configs/${c}/servers/${(await world.server(c)).server_id}`
  }
  const put = (side: string, body: unknown) => world.admin(`PUT ${server}/${side}`, body)
  const sides = async () => {
    const { input_guardrails_policy, output_guardrails_policy } = await made(world.reader(`GET ${server}`))
    return { input_guardrails_policy, output_guardrails_policy }
  }
  const file = (name: string, content: unknown) =>
    writeFileSync(
      join(world.running.place.dataDir, 'exports', name),
      typeof content === 'string' ? content : JSON.stringify(content),
    )
  /** Every way to set a policy of a new or an existing server, and what names it in a refusal. */
  const ways = (policy: unknown): [string, object, string][] => [
    [`PUT ${server}/input-guardrails`, { policy }, 'policy'],
    [`PUT ${server}/output-guardrails`, { policy }, 'policy'],
    [`PUT ${server}/guardrails`, { input_policy: policy }, 'input_policy'],
    [`PUT ${server}/guardrails`, { output_policy: policy }, 'output_policy'],
    [
      `POST /configs/${c}/servers`,
      { server_name: 'g', server_command: 'x', input_guardrails_policy: policy },
      'input_guardrails_policy',
    ],
    [
      `POST /configs/${c}/servers`,
      { server_name: 'g', server_command: 'x', output_guardrails_policy: policy },
      'output_guardrails_policy',
    ],
    [
      'POST /configs/import',
      {
        config_name: 'g',
        data: {
          config: {
            mcp_config: [{ server_name: 'g', config: { command: 'x' }, input_guardrails_policy: policy }],
          },
        },
      },
      'input_guardrails_policy',
    ],
  ]
  const tables = ['configs', 'servers']

  it(`${verifies('enkrypt:guardrails:policy:fields')} a policy has four members of their types, and anything else in it is refused`, async () => {
    await fresh()
    const { json } = await play(world.running, world.beside, {
      it: 'input',
      as: world.keys.admin,
      send: [lineOf(`PUT ${server}/input-guardrails`), { policy: whole }],
      status: 200,
      audits: [{ action: 'set_server_guardrails', outcome: 'ok' }],
    })
    expect(json).toEqual({ message: 'Input guardrails updated successfully', data: whole })
    expect(await sides()).toEqual({ input_guardrails_policy: whole, output_guardrails_policy: off })
    const before = await contents(world.beside, tables)
    const bad: [unknown, RegExp][] = [
      [{ enabled: 'true' }, /enabled/],
      [{ enabled: 1 }, /enabled/],
      [{ enabled: null }, /enabled/],
      [{ policy_name: 7 }, /policy_name/],
      [{ policy_name: null }, /policy_name/],
      [{ additional_config: [] }, /additional_config/],
      [{ additional_config: 'x' }, /additional_config/],
      [{ additional_config: null }, /additional_config/],
      [{ additional_config: { pii_redaction: 'yes' } }, /additional_config\.pii_redaction/],
      [{ additional_config: { pii_restore: 'yes' } }, /additional_config\.pii_restore/],
      [{ additional_config: { keywords: 'a' } }, /additional_config\.keywords/],
      [{ additional_config: { keywords: ['a', ''] } }, /additional_config\.keywords\.1/],
      [{ additional_config: { patterns: ['a', '('] } }, /additional_config\.patterns\.1/],
      [{ additional_config: { max_bytes: 0 } }, /additional_config\.max_bytes/],
      [{ enabled: true, block: ['regex'] }, /additional_config\.patterns/],
      [{ block: 'pii' }, /block/],
      [{ block: { 0: 'pii' } }, /block/],
      [{ block: [7] }, /block\.0/],
      [{ block: null }, /block/],
      [{ pii_redaction: true }, /pii_redaction/],
      [{ Enabled: true }, /Enabled/],
      [{ ...whole, policy_id: 'x' }, /policy_id/],
      [[], /policy/],
      ['on', /policy/],
      [true, /policy/],
      [null, /policy/],
    ]
    for (const [policy, named] of bad) {
      for (const [line, body, field] of ways(policy)) {
        const [status, detail] = refused(await world.admin(line, body))
        expect([line, policy, status, detail]).toEqual([line, policy, 400, expect.stringContaining(field)])
        expect(detail).toMatch(named)
      }
    }
    expect(await contents(world.beside, tables)).toBe(before)
  })

  it(`${verifies('enkrypt:guardrails:policy:block-names')} block holds names of a closed list; another is refused wherever a policy is set, and nothing changes`, async () => {
    await fresh()
    const known = ['policy_violation', 'injection_attack', 'pii', 'secrets', 'keyword', 'regex', 'size']
    expect([...blockNames].sort()).toEqual([...known].sort())
    expect(await made(put('input-guardrails', { policy: { block: known } }))).toEqual({
      ...off,
      block: known,
    })
    const before = await contents(world.beside, tables)
    for (const name of ['toxicity', 'PII', 'pii ', '', 'policy-violation', '*', 'nsfw']) {
      const policy = { enabled: true, block: ['pii', name] }
      for (const [line, body, field] of ways(policy)) {
        const [status, detail] = refused(await world.admin(line, body))
        expect([line, name, status]).toEqual([line, name, 400])
        expect(detail).toMatch(new RegExp(`${field}\\.block\\.1.*policy_violation`))
      }
      file('policy.json', policy)
      const body = { policy_file: 'policy.json' }
      expect(refused(await put('output-guardrails', body))).toEqual([
        400,
        expect.stringContaining('policy_file.block.1'),
      ])
    }
    expect(await contents(world.beside, tables)).toBe(before)
  })

  it(`${verifies('enkrypt:guardrails:policy:block-names')} a backup that holds another name is not restored, and nothing changes`, async () => {
    const apart = await openWorld(database)
    await apart.server((await apart.config()).config_id, { output_guardrails_policy: { block: ['pii'] } })
    const backup = (await made(apart.admin('POST /system/backup'))) as Backup
    // As a version that knows more names would have made it, its checksum included.
    const { columns, rows } = backup.tables.servers
    const at = columns.indexOf('output_guardrails')
    for (const row of rows) row[at] = String(row[at]).replace('pii', 'toxicity')
    const sum = startChecksum(apart.beside.core.keys.backup, backup)
    for (const name of backupTableNames) {
      sum.table(name, backup.tables[name].columns)
      for (const row of backup.tables[name].rows) sum.row(row)
    }
    const data = { ...backup, checksum: sum.end() }
    const later = await apart.config()
    const before = await contents(apart.beside, tables)
    const refusal = refused(await apart.admin('POST /system/restore', { data }))
    expect(refusal).toEqual([400, expect.stringContaining('guardrail policy')])
    expect(await contents(apart.beside, tables)).toBe(before)
    expect((await apart.admin(`GET /configs/${later.config_id}/servers`)).status).toBe(200)
    await apart.close()
  })

  it(`${verifies('enkrypt:guardrails:policy:defaults')} what is missing is off, empty or none; {enabled, policy_name} is enough`, async () => {
    await fresh()
    for (const policy of [
      {},
      { enabled: true },
      { policy_name: 'x' },
      { additional_config: { a: 1 } },
      { block: ['pii'] },
      { enabled: true, policy_name: 'Sample Policy' },
      off,
    ]) {
      const expected = { ...off, ...policy }
      expect(await made(put('input-guardrails', { policy }))).toEqual(expected)
      expect(await made(put('guardrails', { output_policy: policy }))).toEqual({
        input_guardrails_policy: expected,
        output_guardrails_policy: expected,
      })
      const made_ = await world.server(c, {
        input_guardrails_policy: policy,
        output_guardrails_policy: policy,
      })
      expect(await made(world.reader(`GET /configs/${c}/servers/${made_.server_id}`))).toMatchObject({
        input_guardrails_policy: expected,
        output_guardrails_policy: expected,
      })
    }
  })

  it(`${verifies('enkrypt:guardrails:update:replaces')} the whole policy of one side is replaced, and the other side is left alone`, async () => {
    await fresh()
    await made(put('guardrails', { input_policy: whole, output_policy: whole }))
    expect(await made(put('input-guardrails', { policy: { policy_name: 'only' } }))).toEqual({
      ...off,
      policy_name: 'only',
    })
    expect(await sides()).toEqual({
      input_guardrails_policy: { ...off, policy_name: 'only' },
      output_guardrails_policy: whole,
    })
    const { json } = await put('output-guardrails', { policy: { block: ['pii'] } })
    expect(json).toEqual({
      message: 'Output guardrails updated successfully',
      data: { ...off, block: ['pii'] },
    })
    expect(await sides()).toEqual({
      input_guardrails_policy: { ...off, policy_name: 'only' },
      output_guardrails_policy: { ...off, block: ['pii'] },
    })
    // Nor does it touch anything else of the server.
    const { server_id } = await world.server(c, { args: ['a'], env: { A: 'b' }, tools: { t: {} } })
    const before = await made(world.reader(`GET /configs/${c}/servers/${server_id}`))
    await made(world.admin(`PUT /configs/${c}/servers/${server_id}/input-guardrails`, { policy: whole }))
    expect(await made(world.reader(`GET /configs/${c}/servers/${server_id}`))).toEqual({
      ...before,
      input_guardrails_policy: whole,
      updated_at: expect.any(String),
    })
  })

  it(`${verifies('enkrypt:guardrails:update:both-sides')} one side given changes that side; both change together or not at all`, async () => {
    await fresh()
    const both = (input: object, output: object) => ({
      input_guardrails_policy: { ...off, ...input },
      output_guardrails_policy: { ...off, ...output },
    })
    const name = (policy_name: string) => ({ policy_name })
    expect(await made(put('guardrails', { input_policy: name('in') }))).toEqual(both(name('in'), {}))
    expect(await made(put('guardrails', { output_policy: name('out') }))).toEqual(
      both(name('in'), name('out')),
    )
    const { json } = await put('guardrails', { input_policy: name('1'), output_policy: name('2') })
    expect(json).toEqual({ message: 'Guardrails updated successfully', data: both(name('1'), name('2')) })
    file('in.json', name('from a file'))
    const mixed = { input_policy_file: 'in.json', output_policy: name('3') }
    expect(await made(put('guardrails', mixed))).toEqual(both(name('from a file'), name('3')))
    const before = await contents(world.beside, tables)
    for (const [body, status] of [
      [{ input_policy: name('4'), output_policy: { block: ['nothing'] } }, 400],
      [{ input_policy: { enabled: 'x' }, output_policy: name('4') }, 400],
      [{ input_policy: name('4'), output_policy_file: 'missing.json' }, 404],
      [{ input_policy_file: '../in.json', output_policy: name('4') }, 400],
    ] as const) {
      expect([body, refused(await put('guardrails', body))[0]]).toEqual([body, status])
    }
    expect(await contents(world.beside, tables)).toBe(before)
  })

  it(`${verifies('enkrypt:guardrails:update:one-source')} an inline policy and a file for one side, or nothing at all, is refused, and nothing changes`, async () => {
    await fresh()
    file('policy.json', whole)
    const before = await contents(world.beside, tables)
    const policy_file = 'policy.json'
    const bad: [string, object, RegExp][] = [
      ['input-guardrails', {}, /^policy, policy_file: /],
      ['output-guardrails', {}, /^policy, policy_file: /],
      ['input-guardrails', { policy: whole, policy_file }, /^policy, policy_file: /],
      ['output-guardrails', { policy: {}, policy_file }, /^policy, policy_file: /],
      ['guardrails', {}, /^input_policy, input_policy_file, output_policy, output_policy_file: /],
      [
        'guardrails',
        { input_policy: whole, input_policy_file: policy_file },
        /^input_policy, input_policy_file: /,
      ],
      [
        'guardrails',
        { input_policy: whole, output_policy: whole, output_policy_file: policy_file },
        /^output_policy, output_policy_file: /,
      ],
      ['guardrails', { policy: whole }, /policy/],
      ['input-guardrails', { input_policy: whole }, /input_policy/],
    ]
    for (const [side, body, detail] of bad) {
      const refusal = refused(await put(side, body))
      expect([side, body, ...refusal]).toEqual([side, body, 400, expect.stringMatching(detail)])
    }
    expect(await contents(world.beside, tables)).toBe(before)
  })

  it(`${verifies('enkrypt:guardrails:update:file')} a file in exports/ holds the policy`, async () => {
    await fresh()
    file('policy.json', whole)
    expect(await made(put('input-guardrails', { policy_file: 'policy.json' }))).toEqual(whole)
    file('policy.json', { enabled: true, policy_name: 'Other' })
    expect(await made(put('output-guardrails', { policy_file: 'policy.json' }))).toEqual({
      ...off,
      enabled: true,
      policy_name: 'Other',
    })
    expect((await sides()).input_guardrails_policy).toEqual(whole)
    const files = { input_policy_file: 'policy.json', output_policy_file: 'policy.json' }
    expect((await made(put('guardrails', files)))['input_guardrails_policy'].policy_name).toBe('Other')
    const before = await contents(world.beside, tables)
    for (const content of ['', '{', '[]', '7', 'null', '"x"', { enable: true }, { policy: whole }]) {
      file('bad.json', content)
      for (const [side, body] of [
        ['input-guardrails', { policy_file: 'bad.json' }],
        ['output-guardrails', { policy_file: 'bad.json' }],
        ['guardrails', { output_policy_file: 'bad.json' }],
      ] as const) {
        expect([content, refused(await put(side, body))[0]]).toEqual([content, 400])
      }
    }
    expect(refused(await put('input-guardrails', { policy_file: 'missing.json' }))[0]).toBe(404)
    expect(await contents(world.beside, tables)).toBe(before)
  })
})
