import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { makeToken, plantProject, plantUser } from '../support/world.ts'

describe.each(databases)('names and references of tokens on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  it('get_token reads by an unambiguous name, and says conflict for an ambiguous one', async () => {
    const a = await makeToken(instance, { name: 'twin' })
    expect((await instance.call('reader', get_token, { token_id: 'twin' })).token.id).toBe(a.id)
    await makeToken(instance, { name: 'twin' })
    expect(await refusal(instance.call('reader', get_token, { token_id: 'twin' }))).toBe('conflict')
  })

  it('what is accepted reads back unchanged on every database (R11, R20)', async () => {
    const metadata = JSON.parse('{"constructor":"x","é":"\\u2028","n":1e21,"deep":[[{"a":null}]],"":true}')
    const description = 'tab\tline\nquote\' "x" 漢字 🧪 e\u0301 %_\\'
    const { token } = await makeToken(instance, {
      name: `🧪 "quoted" 'x' %_\\ `.trim(),
      description,
      metadata,
    })
    const read = (await instance.call('reader', get_token, { token_id: token.id })).token
    expect(read).toEqual({ ...token, usage: null, generations: [], leaked_at: null })
    expect(read.description).toBe(description)
    expect(JSON.stringify(read.metadata)).toBe(JSON.stringify(metadata))
  })

  it('the owner must exist and be a member of the project; project, groups and servers must exist', async () => {
    const project = await plantProject(instance)
    const stranger = await plantUser(instance)
    const make = (input: object) => refusal(instance.call('admin', create_token, { name: 'x', ...input }))
    expect(await make({ owner_id: 'usr_x' })).toBe('not_found')
    expect(await make({ project_id: 'proj_x' })).toBe('not_found')
    expect(await make({ project_id: project.project_id, owner_id: stranger })).toBe('conflict')
    expect(await make({ access: { servers: ['mgsr_x'] } })).toBe('not_found')
    expect(await make({ access: { groups: ['mggr_x'] } })).toBe('not_found')
    expect(await make({ access: { groups: ['*'] } })).toBe('not_found')
  })
})
