import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { openWorld, type Thing, type World } from './world.ts'

const run = promisify(execFile)

/** The calls of Metorial's documentation, to the letter. */
const commands = {
  list: `curl -X GET "https://api.metorial.com/magic-mcp-tokens" \\-H "Authorization: Bearer metorial_sk_..."`,
  get: `curl -X GET "https://api.metorial.com/magic-mcp-tokens/mag_Rm4Mnheq2bfEPhBhP7SY" \\-H "Authorization: Bearer metorial_sk_..."`,
  create: `curl -X POST "https://api.metorial.com/magic-mcp-tokens" \\-H "Content-Type: application/json" \\-H "Authorization: Bearer metorial_sk_..." \\-d '{"name": "example_name","description": "example_description","metadata": {},"group_ids": ["example_item"]}'`,
  delete: `curl -X DELETE "https://api.metorial.com/magic-mcp-tokens/mag_Rm4Mnheq2bfEPhBhP7SY" \\-H "Authorization: Bearer metorial_sk_..."`,
  update: `curl -X PATCH "https://api.metorial.com/magic-mcp-tokens/mag_Rm4Mnheq2bfEPhBhP7SY" \\-H "Content-Type: application/json" \\-H "Authorization: Bearer metorial_sk_..." \\-d '{"name": "example_name","description": "example_description","metadata": {}}'`,
  addGroups: `curl -X POST "https://api.metorial.com/magic-mcp-tokens/mag_Rm4Mnheq2bfEPhBhP7SY/add-groups" \\-H "Content-Type: application/json" \\-H "Authorization: Bearer metorial_sk_..." \\-d '{"magic_mcp_group_ids": ["example_item"]}'`,
  removeGroups: `curl -X POST "https://api.metorial.com/magic-mcp-tokens/mag_Rm4Mnheq2bfEPhBhP7SY/remove-groups" \\-H "Content-Type: application/json" \\-H "Authorization: Bearer metorial_sk_..." \\-d '{"magic_mcp_group_ids": ["example_item"]}'`,
}

describe.each(databases)('the curl calls of the documentation on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  it(`${verifies('metorial:client:curl:seed')} succeed as written, with host, key and ids put in`, async () => {
    const group = await world.group()
    /** What curl prints of a call. */
    async function curl(name: keyof typeof commands, token?: Thing): Promise<Thing> {
      const command = commands[name]
        .replace('https://api.metorial.com', world.running.url)
        .replace('metorial_sk_...', world.keys.operator)
        .replace('mag_Rm4Mnheq2bfEPhBhP7SY', token?.id ?? '')
        .replace('example_item', group.id)
      const { stdout } = await run('bash', ['-c', command])
      const answer = JSON.parse(stdout)
      expect([name, answer.ok]).toEqual([name, undefined])
      return answer
    }
    const made = await curl('create')
    expect(made).toMatchObject({
      object: 'magic_mcp.token',
      status: 'active',
      name: 'example_name',
      description: 'example_description',
      metadata: {},
      groups: [group],
      secret: expect.stringMatching(/^mcpt_/),
    })
    expect(await curl('get', made)).toEqual({ ...made, secret: '' })
    expect((await curl('list')).items).toEqual([{ ...made, secret: '' }])
    const other = await world.token({ name: 'other' })
    expect(await curl('update', other)).toMatchObject({
      id: other.id,
      name: 'example_name',
      description: 'example_description',
    })
    expect((await curl('addGroups', other)).groups).toEqual([group])
    expect((await curl('removeGroups', other)).groups).toEqual([])
    expect(await curl('delete', other)).toMatchObject({ id: other.id, status: 'deleted' })
  })
})
