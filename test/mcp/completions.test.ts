import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { makeToken, plantGroup, plantKey, plantProject, plantServer, plantUser } from '../support/world.ts'
import { type McpServer, startMcp } from './server.ts'

const ofResource = (uri: string) => ({ type: 'ref/resource' as const, uri })
const ofPrompt = (name: string) => ({ type: 'ref/prompt' as const, name })

async function complete(
  client: Client,
  ref: ReturnType<typeof ofResource | typeof ofPrompt>,
  name: string,
  value: string,
) {
  return (await client.complete({ ref, argument: { name, value } })).completion
}

describe.each(databases)('completions on $name', (on) => {
  let server: McpServer
  beforeEach(async () => {
    server = await startMcp({}, on)
  })
  afterEach(() => server.close())

  it('ids are found by what they begin with and by names, 100 at most', async () => {
    const { instance } = server
    const { id } = await makeToken(instance, { name: 'CI nightly' })
    for (let made = 0; made < 105; made++) await plantKey(instance, 'access', { name: 'bulk' })
    const client = await server.client(await server.key('reader'))
    const of = (value: string, uri = 'token://{id}') => complete(client, ofResource(uri), 'id', value)
    expect(await of('nightly')).toEqual({ values: [id], total: 1, hasMore: false })
    expect(await of(id)).toMatchObject({ values: [id] })
    expect((await of(id.slice(0, 20))).values).toContain(id)
    expect(await of('bulk', 'audit://token/{id}')).toMatchObject({ total: 105, hasMore: true })
    expect((await of('')).values).toHaveLength(100)
    expect(await of('mgtk_')).toMatchObject({ hasMore: true })
    for (const value of ['mgtk_%', 'no such name', 'mgtk_\u0000', '\u0000', '%', 'x'.repeat(5_000), '\ud800'])
      expect((await of(value)).values, value.slice(0, 10)).toEqual([])
  })

  it('arguments of prompts are completed with the names people know', async () => {
    const { instance } = server
    const { slug } = await plantServer(instance)
    const group = await plantGroup(instance, [])
    await plantUser(instance, { email: 'leaver@example.com' })
    await makeToken(instance, { name: 'CI nightly', description: 'deploys' })
    const client = await server.client(await server.key('operator'))
    const values = async (prompt: string, name: string, value: string) =>
      (await complete(client, ofPrompt(prompt), name, value)).values
    expect(await values('onboard_server', 'server', slug.slice(0, 12))).toContain(slug)
    expect(await values('onboard_server', 'group', group.slice(5, 20))).toContain(group.slice(5))
    expect(await values('onboard_server', 'group', group.slice(0, 20))).toContain(group)
    expect(await values('offboard_user', 'user', 'LEAVER')).toEqual(['leaver@example.com'])
    expect(await values('audit_exposure', 'token', 'nightly')).toEqual(['CI nightly'])
    expect(await values('audit_exposure', 'token', 'deploys')).toEqual([])
    expect(await values('onboard_server', 'purpose', 'x')).toEqual([])
  })

  it('R32: nobody is offered what is out of reach', async () => {
    const { instance } = server
    const { project_id } = await plantProject(instance)
    const own = await makeToken(instance, { project_id, name: 'own' })
    const foreign = await makeToken(instance, { name: 'foreign' })
    const bound = await plantKey(instance, 'management', { role: 'operator', project_id })
    const ids = async (secret: string, value: string, uri = 'token://{id}') =>
      (await complete(await server.client(secret), ofResource(uri), 'id', value)).values
    expect(await ids(bound.secret, '')).toEqual([own.id])
    expect(await ids(bound.secret, foreign.id)).toEqual([])
    expect(await ids(bound.secret, 'foreign')).toEqual([])
    expect(await ids(foreign.secret, '')).toEqual([foreign.id])
    expect(await ids(foreign.secret, '', 'audit://token/{id}')).toEqual([])
    expect(await ids(await server.key('validator'), '')).toEqual([])
    const validator = await server.client(await server.key('validator'))
    expect((await complete(validator, ofPrompt('audit_exposure'), 'token', '')).values).toEqual([])
  })

  it('what is no prompt, no template or no argument of one is refused', async () => {
    const client = await server.client(await server.key('reader'))
    const wrong = [
      [ofPrompt('nope'), 'x'],
      [ofPrompt('audit_exposure'), 'nope'],
      [ofResource('token://{other}'), 'id'],
      [ofResource('token://{id}'), 'other'],
      [ofResource('__proto__'), 'id'],
    ] as const
    for (const [ref, name] of wrong)
      await expect(complete(client, ref, name, ''), JSON.stringify(ref)).rejects.toMatchObject({
        code: -32602,
      })
  })
})
