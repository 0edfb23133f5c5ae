import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { Actor } from '../../src/core/actor.ts'
import { actorId } from '../../src/core/actor.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import {
  contents,
  leak,
  makeToken,
  type Project,
  plantGroup,
  plantKey,
  plantProject,
  plantServer,
  stateTables,
  trailOf,
} from '../support/world.ts'

import { planted, type Row, rows } from './token-rows.ts'

describe.each(databases)('the token tools on $name', (database) => {
  let instance: Instance
  let project: Project
  let other: Project
  let nobody: Actor
  let access: Actor
  let userKey: Actor
  let bound: Actor
  let boundReader: Actor

  beforeAll(async () => {
    instance = await openInstance(database)
    planted.group = await plantGroup(instance, [(await plantServer(instance)).id])
    project = await plantProject(instance)
    other = await plantProject(instance)
    nobody = { kind: 'nobody' }
    access = await instance.actor((await makeToken(instance)).secret)
    const key = { owner_id: project.user_id, project_id: project.project_id, all_servers: 1 }
    userKey = await instance.actor((await plantKey(instance, 'user_key', key)).secret)
    bound = await instance.actor(
      (await plantKey(instance, 'management', { project_id: project.project_id })).secret,
    )
    boundReader = await instance.actor(
      (await plantKey(instance, 'management', { project_id: project.project_id, role: 'reader' })).secret,
    )
  })
  afterAll(() => instance.close())

  const call = (as: Parameters<Instance['call']>[0], row: Row, input: object) =>
    instance.call(as, row.operation, input as z.input<z.ZodObject>)

  describe.each(rows)('$operation.name', (row) => {
    const { operation } = row

    it('R38: succeeds and leaves exactly one row in the trail if it changes something, none if it reads', async () => {
      const token = await makeToken(instance)
      const trail = await trailOf(instance, () => call('operator', row, row.input(token)))
      expect(
        trail.map((entry) => [entry.action, entry.outcome, entry.actor_kind, entry.actor_id, entry.role]),
      ).toEqual(row.write ? [[operation.name, 'ok', 'local', 'tester', 'operator']] : [])
      if (row.write && operation !== create_token) expect(trail[0]?.target_id).toBe(token.id)
    })

    it('R20: refuses bad input as invalid_input, naming the member, with no effect and no row', async () => {
      // Uses of the cases before are stored when it suits the store.
      await instance.core.uses.flush()
      const before = await contents(instance, [...stateTables, 'audit'])
      for (const bad of [
        ...row.bad,
        { ...row.input({ id: 'mgtk_x', secret: 'x' }), surprise: 1 },
        JSON.parse('{"token_id":"x","name":"x","enabled":true,"group_ids":[],"__proto__":{}}'),
      ]) {
        const error = await refusalError(call('admin', row, bad))
        expect([error.code, JSON.stringify(bad).slice(0, 120)]).toEqual([
          'invalid_input',
          JSON.stringify(bad).slice(0, 120),
        ])
        expect(error.message).not.toMatch(/sqlite|postgres|select |\/work|node_modules|\n\s+at /i)
      }
      expect((await refusalError(call('admin', row, { surprise: 1 }))).message).toContain('surprise')
      expect(await contents(instance, [...stateTables, 'audit'])).toBe(before)
    })

    it('R13: refuses callers without the permission; a refused change leaves one denied row, a refused read is tallied', async () => {
      const token = await makeToken(instance)
      const validatorMay = operation === validate_token
      const readerMay = !row.write
      const weak: [Parameters<Instance['call']>[0], string][] = [
        [nobody, 'unauthenticated'],
        [access, 'forbidden'],
        ...(validatorMay ? [] : ([['validator', 'forbidden']] as ['validator', string][])),
        ...(readerMay ? [] : ([['reader', 'forbidden']] as ['reader', string][])),
        ...(validatorMay ? ([[userKey, 'forbidden']] as [Actor, string][]) : []),
      ]
      const before = await contents(instance, stateTables)
      for (const [as, code] of weak) {
        await instance.core.tallies.flush()
        const trail = await trailOf(instance, async () =>
          expect(await refusal(call(as, row, row.input(token)))).toBe(code),
        )
        expect(trail.map((entry) => [entry.action, entry.outcome])).toEqual(
          row.write ? [[operation.name, 'denied']] : [],
        )
        const tallied = await trailOf(instance, () => instance.core.tallies.flush())
        expect(tallied.map((entry) => [entry.action, entry.outcome, entry.details])).toEqual(
          row.write ? [] : [[operation.name, 'denied', '{"count":1}']],
        )
        const actor: Actor = typeof as === 'string' ? { kind: 'local', id: 'tester', role: as } : as
        for (const entry of [...trail, ...tallied])
          expect([entry.actor_kind, entry.actor_id]).toEqual([actor.kind, actorId(actor)])
      }
      expect(await contents(instance, stateTables)).toBe(before)
    })

    it('R5: no answer holds a secret but that of create and rotate, and no answer a digest', async () => {
      const token = await makeToken(instance)
      const answer = JSON.stringify(await call('operator', row, row.input(token)))
      const { secret_hash } = await instance.core.store.read
        .selectFrom('tokens')
        .select('secret_hash')
        .where('id', '=', token.id)
        .executeTakeFirstOrThrow()
      expect(leak(Buffer.from(answer), token.secret)).toBe(-1)
      expect(answer).not.toMatch(/hash|pepper|Buffer/)
      expect(answer).not.toContain(secret_hash.toString('hex'))
      const shown = answer.match(/[a-z0-9]{2,8}_[0-9A-Za-z]{43}/g) ?? []
      expect(shown).toHaveLength(operation === create_token || operation === rotate_token ? 1 : 0)
    })

    if (row.scoped) {
      it('R15: what lies outside the scope of the caller is not_found, and untouched', async () => {
        const elsewhere = await makeToken(instance, { project_id: other.project_id, owner_id: other.user_id })
        const unbound = await makeToken(instance, { owner_id: project.user_id })
        const management = await plantKey(instance, 'management', { project_id: project.project_id })
        const before = await contents(instance, stateTables)
        const callers = row.write ? [bound, userKey] : [bound, boundReader, userKey]
        for (const as of callers) {
          for (const token of [
            elsewhere,
            unbound,
            management,
            { id: 'mgtk_0000000000000000000000', secret: '' },
            { id: elsewhere.secret, secret: '' },
            { id: '*', secret: '' },
          ]) {
            expect(await refusal(call(as, row, row.input(token)))).toBe('not_found')
          }
        }
        expect(await contents(instance, stateTables)).toBe(before)
        for (const token of [elsewhere, unbound]) {
          expect((await instance.core.verifier.verify(token.secret, {})).verdict).toBe('valid')
        }
      })

      it('R20: the id of another kind, a name where a change needs an id and management keys are not_found', async () => {
        const management = await plantKey(instance, 'management')
        for (const id of [
          planted.group,
          project.project_id,
          project.user_id,
          management.id,
          'no such name',
          '%',
          '__proto__',
          'constructor',
        ]) {
          expect(await refusal(call('admin', row, row.input({ id, secret: '' })))).toBe('not_found')
        }
        if (row.write) {
          const { token } = await makeToken(instance, { name: `by name ${operation.name}` })
          expect(await refusal(call('admin', row, row.input({ id: token.name ?? '', secret: '' })))).toBe(
            'not_found',
          )
        }
      })
    }
  })

  it('R40: a secret that a caller puts where an id belongs does not get into the trail, nor into the refusal', async () => {
    const token = await makeToken(instance)
    const trail = await trailOf(instance, async () => {
      for (const row of rows.filter((one) => one.write && one.scoped)) {
        const error = await refusalError(call('reader', row, row.input({ id: token.secret, secret: '' })))
        expect(leak(Buffer.from(error.message), token.secret)).toBe(-1)
        const missing = await refusalError(call('admin', row, row.input({ id: token.secret, secret: '' })))
        expect(leak(Buffer.from(missing.message), token.secret)).toBe(-1)
      }
      await instance.call('admin', create_token, { name: `for ${token.secret}` })
    })
    expect(trail.length).toBeGreaterThan(6)
    expect(leak(Buffer.from(JSON.stringify(trail)), token.secret)).toBe(-1)
  })
})
