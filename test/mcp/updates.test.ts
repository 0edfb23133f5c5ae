import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { update_group } from '../../tools/groups/update_group.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { startChild } from '../support/processes.ts'
import { makeToken, nextId, plantGroup, plantKey, plantProject } from '../support/world.ts'
import { bothTypes, listCall, type McpServer, openSession, startMcp, until } from './server.ts'

/** What the client is told from here on. */
function heardBy(client: Client): string[] {
  const heard: string[] = []
  client.setNotificationHandler(
    ResourceUpdatedNotificationSchema,
    ({ params }) => void heard.push(params.uri),
  )
  return heard
}

/** Longer than any change is on its way. */
const silence = () => new Promise((resolve) => setTimeout(resolve, 1_500))

describe.each(databases)('updates of resources on $name', (on) => {
  let server: McpServer
  /** Another node on the same store. */
  let node: Instance
  beforeEach(async () => {
    server = await startMcp({}, on)
    node = await openInstance(on, server.instance.place)
  })
  afterEach(async () => {
    await node.close()
    await server.close()
  })

  it('a change made on another node is told within two seconds, to those who asked and of what they asked', async () => {
    const { id } = await makeToken(node, { expires_in_days: 1 })
    const groupId = await plantGroup(node, [])
    const client = await server.client(await server.key('reader'))
    const heard = heardBy(client)
    for (const uri of [`token://${id}`, `group://${groupId}`, 'tokens://expiring'])
      await client.subscribeResource({ uri })
    const since = Date.now()
    await node.call('operator', update_token, { token_id: id, name: 'other' })
    await until(() => heard.length >= 2)
    expect(Date.now() - since).toBeLessThan(2_000)
    expect(heard.sort()).toEqual([`token://${id}`, 'tokens://expiring'])
    await node.call('operator', update_group, { group_id: groupId, name: 'renamed' })
    await until(() => heard.includes(`group://${groupId}`))
    await client.unsubscribeResource({ uri: `token://${id}` })
    await node.call('operator', rotate_token, { token_id: id })
    await until(() => heard.filter((uri) => uri === 'tokens://expiring').length === 2)
    expect(heard.filter((uri) => uri === `token://${id}`)).toHaveLength(1)
  })

  it('a change made by another process is told, and a denied attempt is told of the trail alone', async () => {
    const { id } = await makeToken(node)
    const client = await server.client(await server.key('admin'))
    const heard = heardBy(client)
    await client.subscribeResource({ uri: `audit://token/${id}` })
    await client.subscribeResource({ uri: `token://${id}` })
    await node.call('reader', revoke_token, { token_id: id }).catch(() => undefined)
    await until(() => heard.length > 0)
    expect(heard).toEqual([`audit://token/${id}`])
    const child = startChild({
      work: 'revoke',
      dataDir: server.instance.place.dataDir,
      location: server.instance.place.location,
    })
    await child.says(({ ready }) => ready === true)
    child.tell(id)
    await child.says(({ revoked }) => revoked === id)
    await until(() => heard.includes(`token://${id}`))
    await child.kill()
  }, 30_000)

  it('R32: what cannot be read cannot be followed, and is refused as if it did not exist', async () => {
    const { project_id } = await plantProject(node)
    const foreign = await makeToken(node)
    const own = await makeToken(node, { project_id })
    const bound = await plantKey(node, 'management', { role: 'operator', project_id })
    const client = await server.client(bound.secret)
    const refused = async (uri: string) =>
      client.subscribeResource({ uri }).catch(({ code, message }) => [code, message])
    const unknown = await refused(`token://${nextId('token')}`)
    expect(unknown).toMatchObject([-32002, expect.stringContaining('not found')])
    expect(await refused(`token://${foreign.id}`)).toEqual(unknown)
    expect(await refused(`audit://token/${own.id}`)).toEqual(unknown)
    const heard = heardBy(client)
    await client.subscribeResource({ uri: `token://${own.id}` })
    await node.call('operator', update_token, { token_id: foreign.id, name: 'x' })
    await node.call('operator', update_token, { token_id: own.id, name: 'x' })
    await until(() => heard.length > 0)
    expect(heard).toEqual([`token://${own.id}`])
  })

  it('whoever holds a revoked key or a revoked token hears nothing more', async () => {
    const watched = await makeToken(node)
    const key = await plantKey(node, 'management', { role: 'reader' })
    const [byKey, byToken] = await Promise.all([server.client(key.secret), server.client(watched.secret)])
    const heard = [heardBy(byKey), heardBy(byToken)]
    for (const client of [byKey, byToken]) await client.subscribeResource({ uri: `token://${watched.id}` })
    await node.call('operator', update_token, { token_id: watched.id, name: 'first' })
    await until(() => heard.every((told) => told.length === 1))
    await node.call('admin', revoke_management_key, { key_id: key.id })
    await node.call('operator', revoke_token, { token_id: watched.id })
    await silence()
    expect(heard.map((told) => told.length)).toEqual([1, 1])
  })

  it('a session follows at most 500 resources, and 200 changes at once all arrive', async () => {
    const ids: string[] = []
    for (let made = 0; made < 501; made++) ids.push((await plantKey(node, 'access')).id)
    const client = await server.client(await server.key('reader'))
    const heard = heardBy(client)
    for (const id of ids.slice(0, 500)) await client.subscribeResource({ uri: `token://${id}` })
    const one = { uri: `token://${ids[500]}` }
    await expect(client.subscribeResource(one)).rejects.toMatchObject({ code: -32602 })
    await client.subscribeResource({ uri: `token://${ids[0]}` })
    for (const id of ids.slice(0, 200)) await node.call('operator', update_token, { token_id: id, name: 'x' })
    await until(() => new Set(heard).size === 200)
    await client.unsubscribeResource({ uri: `token://${ids[0]}` })
    await client.subscribeResource(one)
  }, 60_000)

  it('the trail is read while somebody follows something, and by nobody else', async () => {
    const { read } = server.instance.core.store
    let reads = 0
    const executeQuery = read.executeQuery.bind(read)
    const counted = (...args: Parameters<typeof executeQuery>) => {
      reads += 1
      return executeQuery(...args)
    }
    Object.assign(read, { executeQuery: counted })
    const client = await server.client(await server.key('reader'))
    await silence()
    expect(reads).toBe(0)
    const { id } = await makeToken(node)
    await client.subscribeResource({ uri: `token://${id}` })
    await until(() => reads > 2)
    await client.close()
  })

  it('R26: whoever subscribes in sessions without end and listens to none makes nobody read', async () => {
    const { changes } = server.instance.core
    const { follow } = changes
    const followers: Parameters<typeof follow>[0][] = []
    const seen: typeof follow = (follower) => {
      followers.push(follower)
      return follow(follower)
    }
    Object.assign(changes, { follow: seen })
    const key = await server.key('reader')
    const listening = () => followers.filter((follower) => follower.listens()).length
    let session = ''
    for (let at = 0; at < 30; at++) {
      session = await openSession(server, key)
      const message = { ...listCall, method: 'resources/subscribe', params: { uri: 'tokens://expiring' } }
      const answer = await server.send(key, message, { ...bothTypes, 'mcp-session-id': session })
      expect(await answer.json()).toMatchObject({ result: {} })
    }
    expect([followers.length, listening()]).toEqual([30, 0])
    const stream = new AbortController()
    const headers = { authorization: `Bearer ${key}`, 'mcp-session-id': session, ...bothTypes }
    await fetch(server.url, { headers, signal: stream.signal })
    expect(listening()).toBe(1)
    stream.abort()
    await until(() => listening() === 0)
  })
})
