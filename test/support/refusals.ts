import { expect, it } from 'vitest'
import type { AnyOperation } from '../../src/core/operation.ts'
import { type Role, roles } from '../../src/core/permissions.ts'
import { type Instance, refusal, refusalError } from './instance.ts'
import { contents, plantKey, plantUser, stateTables, trailOf } from './world.ts'

/** An operation, who may call it, and inputs it refuses as bad. */
export interface Row {
  operation: AnyOperation
  roles: readonly Role[]
  /** A call that is good as far as its form goes. */
  good: object
  bad: object[]
}

/** For each operation: no role or credential beside the named ones may call it, and bad input changes nothing. */
export function refusesOthersAndBadInput(instance: () => Instance, table: Row[]): void {
  it.each(table.map((row) => ({ ...row, name: row.operation.name })))(
    'R13: $name is refused to every other role and credential, and a refused change leaves one denied row',
    async ({ operation, roles: allowed, good }) => {
      const { call, actor } = instance()
      const planted = [
        await plantKey(instance(), 'access'),
        await plantKey(instance(), 'management', { role: 'validator' }),
        await plantKey(instance(), 'user_key', { owner_id: await plantUser(instance()) }),
      ]
      const actors = await Promise.all(planted.map(({ secret }) => actor(secret)))
      const userKeyMay = [
        'tokens:read',
        'tokens:write',
        'servers:read',
        'projects:read',
        'configs:read',
      ].includes(operation.permission)
      const others = [
        ...roles.filter((role) => !allowed.includes(role)),
        ...actors.slice(0, userKeyMay ? 2 : 3),
      ]
      for (const other of others) {
        const rows = await trailOf(instance(), async () => {
          expect(await refusal(call(other, operation, good))).toBe('forbidden')
        })
        const denied = { action: operation.name, outcome: 'denied' }
        expect(rows).toMatchObject(operation.effect === 'read' ? [] : [denied])
        expect(rows).toHaveLength(operation.effect === 'read' ? 0 : 1)
      }
      expect(await refusal(call({ kind: 'nobody' }, operation, good))).toBe('unauthenticated')
    },
  )

  it.each(table.map((row) => ({ ...row, name: row.operation.name })))(
    'R20: $name refuses bad input by the name of the member, and nothing changes',
    async ({ operation, good, bad }) => {
      const { call, core } = instance()
      await core.uses.flush()
      const before = await contents(instance(), stateTables)
      for (const input of [...bad, { ...good, constructor_name: 1 }]) {
        const { code, field, message } = await refusalError(call('admin', operation, input))
        expect([code, JSON.stringify(input)]).toEqual(['invalid_input', JSON.stringify(input)])
        expect(field).toBeTruthy()
        expect(message).not.toMatch(/ at |node_modules|SQLITE|select /i)
      }
      expect(await contents(instance(), stateTables)).toBe(before)
    },
  )
}
