import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'vitest'
import { oneATurn } from './proving.ts'

/** Everything a client of the everything server saw, without what differs between any two runs. */
export interface Transcript {
  about: { capabilities: Record<string, unknown>; [more: string]: unknown }
  steps: Record<string, unknown>
  /** What the server asked the client. */
  asked: unknown[]
  /** Notifications by method, each in its order. */
  heard: Record<string, unknown[]>
}

export interface Played {
  /** The client can be asked. */
  able: boolean
  /** What names of tools and prompts, and URIs, start with. */
  names: string
  uris: string
}

export const ableCapabilities: ClientCapabilities = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
  tasks: { requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
}

const roots = [
  { uri: 'file:///tmp/one', name: 'One' },
  { uri: 'file:///tmp/zw%C3%B6lf', name: 'Zwölf' },
]

/** What differs between two runs of the same server; everything else has to be the same. */
const changing: [what: RegExp, as: string][] = [
  [/\b\d{1,2}:\d{2}:\d{2}\s[AP]M/g, '<time>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<instant>'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>'],
  [/\b[0-9a-f]{32}\b/g, '<task>'],
]

/** The same text, whenever it was said. */
export function settled(value: unknown): unknown {
  if (typeof value === 'string') {
    const plain = /^UmVzb3VyY2U/.test(value) ? Buffer.from(value, 'base64').toString() : value
    return changing.reduce((text, [what, as]) => text.replace(what, as), plain)
  }
  if (Array.isArray(value)) return value.map(settled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, settled(member)]))
}

/** Plays one script of calls, each feature of the everything server at least once. */
export async function play(transport: Transport, { able, names, uris }: Played): Promise<Transcript> {
  const client = new Client(
    { name: 'differential', version: '1.0.0' },
    able ? { capabilities: ableCapabilities, taskStore: new InMemoryTaskStore() } : {},
  )
  const steps: Record<string, unknown> = {}
  const asked: unknown[] = []
  let heard: Record<string, unknown[]> = {}
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard[method] ??= []
    heard[method].push(params)
  }
  if (able) answerBack(client, asked)
  let version: string | undefined
  const tellVersion = transport.setProtocolVersion?.bind(transport)
  transport.setProtocolVersion = (agreed) => {
    version = agreed
    tellVersion?.(agreed)
  }
  await client.connect(transport)
  oneATurn(transport)

  type Options = NonNullable<Parameters<Client['request']>[2]>
  /** The raw result of a request, or its error. */
  const ask = (method: string, params: object = {}, options: Options = {}) =>
    client.request({ method, params: { ...params } }, ResultSchema, options).then(
      (result) => result,
      ({ code, message, data }) => ({ code, message, data }),
    )
  const step = async (name: string, method: string, params?: object, options?: Options) => {
    expect(steps).not.toHaveProperty([name])
    steps[name] = await ask(method, params, options)
    return steps[name] as Record<string, unknown>
  }
  const tool = (name: string, args: object = {}, more: object = {}, options?: Options) =>
    step(
      `${name} ${JSON.stringify(args)}`,
      'tools/call',
      { name: `${names}${name}`, arguments: args, ...more },
      options,
    )
  const all = async (method: string, list: string) => {
    const found: unknown[] = []
    let cursor: unknown
    do {
      const page = (await ask(method, cursor === undefined ? {} : { cursor })) as Record<string, unknown>
      found.push(...(page[list] as unknown[]))
      cursor = page['nextCursor']
    } while (cursor !== undefined)
    expect(found.length).toBeGreaterThan(0)
    steps[method] = found
  }
  const until = (so: () => boolean) => expect.poll(so, { timeout: 5_000, interval: 20 }).toBe(true)
  const count = (method: string) => heard[method]?.length ?? 0

  await ask('tools/list')
  // A server asks for the roots once a client is there; and whose list changes at its start is told only by some ways.
  if (able) await until(() => count('notifications/message') === 1)
  else await sleep(700)
  heard = { 'notifications/message': heard['notifications/message'] ?? [] }

  await step('ping', 'ping')
  await step('level', 'logging/setLevel', { level: 'debug' })
  await step('no level', 'logging/setLevel', { level: 'loud' })
  await all('tools/list', 'tools')
  await all('prompts/list', 'prompts')
  await all('resources/list', 'resources')
  await all('resources/templates/list', 'resourceTemplates')

  await tool('echo', { message: 'grüße, 世界 \u2028 👩‍💻 \u0000 end' })
  await tool('get-sum', { a: 0.1, b: 0.2 })
  await tool('get-tiny-image')
  for (const messageType of ['error', 'success', 'debug'])
    await tool('get-annotated-message', { messageType, includeImage: messageType === 'debug' })
  await tool('get-structured-content', { location: 'Chicago' })
  await tool('get-resource-links', { count: 10 })
  for (const resourceType of ['Text', 'Blob'])
    await tool('get-resource-reference', { resourceType, resourceId: 7 })
  const progress: unknown[] = []
  await tool(
    'trigger-long-running-operation',
    { duration: 0.4, steps: 8 },
    {},
    {
      onprogress: (one) => progress.push(one),
    },
  )
  steps['progress'] = progress
  await tool('gzip-file-as-resource', { name: 'a.gz', data: 'data:text/plain,hello', outputType: 'resource' })
  await tool('gzip-file-as-resource', { name: 'b.gz', data: 'data:text/plain,hello' })
  await until(() => count('notifications/resources/list_changed') >= 2)
  await step('what was zipped', 'resources/read', { uri: `${uris}demo://resource/session/b.gz` })
  // The environment of a process is its starter's, but for what the entry says.
  const environment = (await ask('tools/call', { name: `${names}get-env` })) as {
    content: { text: string }[]
  }
  steps['environment'] = JSON.parse(environment.content[0]?.text ?? '{}').MARK

  await step('no such tool', 'tools/call', { name: `${names}no-such-tool`, arguments: {} })
  await tool('echo', {})
  await tool('get-sum', { a: 'one', b: 2 })
  await tool('get-annotated-message', { messageType: 'other' })
  await tool('get-resource-reference', { resourceId: -1 })
  await step('no such method', 'demo/unknown', { a: 1 })

  const prompt = (name: string, args?: object) =>
    step(`prompt ${name} ${JSON.stringify(args)}`, 'prompts/get', {
      name: `${names}${name}`,
      arguments: args,
    })
  await prompt('simple-prompt')
  await prompt('args-prompt', { city: 'Köln' })
  await prompt('args-prompt', { city: 'Köln', state: 'NRW' })
  await prompt('args-prompt', {})
  await prompt('completable-prompt', { department: 'Sales', name: 'Eve' })
  await prompt('resource-prompt', { resourceType: 'Text', resourceId: '3' })
  await prompt('resource-prompt', { resourceType: 'Blob', resourceId: '4' })
  await prompt('resource-prompt', { resourceType: 'Blob', resourceId: 'x' })
  await prompt('no-such-prompt')

  const complete = (ref: object, argument: object, context?: object) =>
    step(`complete ${JSON.stringify([argument, context])}`, 'completion/complete', { ref, argument, context })
  const completable = { type: 'ref/prompt', name: `${names}completable-prompt` }
  const dynamic = { type: 'ref/resource', uri: `${uris}demo://resource/dynamic/text/{resourceId}` }
  await complete(completable, { name: 'department', value: 'S' })
  await complete(completable, { name: 'name', value: '' }, { arguments: { department: 'Support' } })
  await complete(completable, { name: 'nothing', value: '' })
  await complete(dynamic, { name: 'resourceId', value: '12' })
  await complete({ ...completable, name: `${names}nothing` }, { name: 'other', value: '' })

  const read = (uri: string) => step(`read ${uri}`, 'resources/read', { uri: `${uris}${uri}` })
  await read('demo://resource/dynamic/text/1')
  await read('demo://resource/dynamic/blob/2')
  await read('demo://resource/dynamic/text/none')
  await read('demo://resource/static/document/features.md')
  await read('demo://nothing')
  const logged = count('notifications/message')
  const watched = { uri: `${uris}demo://resource/dynamic/text/5` }
  await step('subscribe', 'resources/subscribe', watched)
  await tool('toggle-subscriber-updates')

  await until(() => count('notifications/resources/updated') === 1)
  await step('no more updates', 'tools/call', { name: `${names}toggle-subscriber-updates` })
  await step('unsubscribe', 'resources/unsubscribe', watched)
  await until(() => count('notifications/message') === logged + 2)
  await tool('toggle-simulated-logging')
  await until(() => count('notifications/message') === logged + 3)
  // Which of its eight messages it says is chosen at random.
  const [random] = (heard['notifications/message'] ?? []).splice(logged + 2) as {
    level: string
    data: string
  }[]
  expect(random?.data.toLowerCase()).toMatch(new RegExp(`^${random?.level}[- ]level`))
  await step('no more logging', 'tools/call', { name: `${names}toggle-simulated-logging` })

  const stop = new AbortController()
  setTimeout(() => stop.abort('enough'), 150)
  await tool('trigger-long-running-operation', { duration: 3, steps: 3 }, {}, { signal: stop.signal })
  await tool('echo', { message: 'after a call that was cancelled' })

  if (able) {
    await tool('get-roots-list')
    await tool('trigger-sampling-request', { prompt: 'say something', maxTokens: 7 })
    await tool('trigger-elicitation-request')
    const page = { url: 'https://example.com/open', elicitationId: 'known' }
    await tool('trigger-url-elicitation', page)
    await tool('trigger-url-elicitation', { ...page, errorPath: true })
    await tool('trigger-sampling-request-async', { prompt: 'take your time' })
    await tool('trigger-elicitation-request-async')
    const before = count('notifications/message')
    await client.sendRootsListChanged()
    await until(() => count('notifications/message') === before + 1)
  }
  await tool('simulate-research-query', { topic: 'without a task' })
  await research(step, names, able)

  const about = {
    capabilities: client.getServerCapabilities(),
    serverInfo: client.getServerVersion(),
    instructions: client.getInstructions(),
    protocolVersion: version,
  }
  await (transport as { terminateSession?(): Promise<void> }).terminateSession?.()
  await client.close()
  return settled(JSON.parse(JSON.stringify({ about, steps, asked, heard }))) as Transcript
}

/** A task from its start to its result, and one that is cancelled. */
async function research(
  step: (name: string, method: string, params?: object) => Promise<Record<string, unknown>>,
  names: string,
  ambiguous: boolean,
): Promise<void> {
  const begin = { name: `${names}simulate-research-query`, arguments: { topic: 'python', ambiguous } }
  const idOf = ({ task }: Record<string, unknown>) => (task as { taskId: string } | undefined)?.taskId ?? 'x'
  const taskId = idOf(await step('task', 'tools/call', { ...begin, task: { ttl: 60_000 } }))
  // How far it is by then, its notifications tell.
  delete (await step('task now', 'tasks/get', { taskId }))['statusMessage']
  await step('task result', 'tasks/result', { taskId })
  await step('task then', 'tasks/get', { taskId })
  const other = idOf(await step('other task', 'tools/call', { ...begin, task: { ttl: 60_000 } }))
  await step('other task cancelled', 'tasks/cancel', { taskId: other })
  await step('other task then', 'tasks/get', { taskId: other })
  await step('tasks', 'tasks/list')
  await step('no such task', 'tasks/get', { taskId: 'nothing' })
}

function answerBack(client: Client, asked: unknown[]): void {
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.push({ method })
    return { roots }
  })
  client.setRequestHandler(CreateMessageRequestSchema, async ({ method, params }, { taskStore }) => {
    asked.push({ method, params: { ...params, _meta: undefined } })
    const said = { role: 'assistant', model: 'none', content: { type: 'text', text: 'something' } } as const
    if (params.task === undefined || taskStore === undefined) return said
    const task = await taskStore.createTask({ ttl: 60_000 })
    await taskStore.storeTaskResult(task.taskId, 'completed', said)
    return { task } as never
  })
  client.setRequestHandler(ElicitRequestSchema, async ({ method, params }, { taskStore }) => {
    asked.push({ method, params: { ...params, _meta: undefined } })
    const content = 'requestedSchema' in params ? contentFor(params.requestedSchema.properties) : undefined
    const said = content === undefined ? { action: 'accept' } : { action: 'accept', content }
    if (!('task' in params) || params.task === undefined || taskStore === undefined) return said as never
    const task = await taskStore.createTask({ ttl: 60_000 })
    await taskStore.storeTaskResult(task.taskId, 'completed', said)
    return { task } as never
  })
}

function contentFor(properties: object): Record<string, string | boolean> {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name]) => ['name', 'check', 'interpretation', 'agreeToTerms'].includes(name))
      .map(([name, { type }]) => [name, type === 'boolean' ? true : name === 'name' ? 'Zoë' : 'snake']),
  )
}
