import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create_token } from '../../tools/tokens/create_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'

describe.each(databases)('rotation on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  it('R44: without grace the old secret is refused from the next request on', async () => {
    const { call } = instance
    const made = await call('operator', create_token, { name: 'CI' })
    const rotated = await call('operator', rotate_token, { token_id: made.token.id })
    expect(rotated.token.id).toBe(made.token.id)
    expect((await call('reader', validate_token, { token: made.delivery.secret })).verdict).toBe('unknown')
    expect((await call('reader', validate_token, { token: rotated.delivery.secret })).verdict).toBe('valid')
  })
})
