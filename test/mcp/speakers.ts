import {
  Client as ClientTwo,
  StreamableHTTPClientTransport as HttpTwo,
  type Transport as TransportTwo,
} from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioTwo } from '@modelcontextprotocol/client/stdio'
import { Client as ClientOne } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioOne } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpOne } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'

/** Where a server is: behind an address, or in a program. */
export type Place =
  | { url: string; secret: string }
  | { command: string; args: string[]; env: Record<string, string> }

export interface Result {
  isError?: boolean | undefined
  content: { type: string; text?: string }[]
  structuredContent?: Record<string, unknown>
  _meta?: Record<string, unknown>
}

export interface CallOptions {
  onprogress?: (progress: { progress: number; total?: number | undefined }) => void
  signal?: AbortSignal
}

/** What a test does with an official client, whichever it is. */
export interface Speaker {
  /** The revision both sides agreed on. */
  revision: string | undefined
  /** Lists the tools; from then on the client checks structured answers against their schemas. */
  tools(): Promise<string[]>
  call(name: string, args?: object, options?: CallOptions): Promise<Result>
  prompt(name: string, args?: Record<string, string>): Promise<string>
  read(uri: string): Promise<string | undefined>
  /** Asks to be told of changes to a resource; answers how to stop. */
  watch(uri: string, told: (uri: string) => void): Promise<() => Promise<void>>
  /** Every message that went over the line so far. */
  transcript(): string
  close(): Promise<void>
}

const info = { name: 'speaker', version: '7' }
const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} }

/** A person who is sent to an address; answers what they say to it. */
export type Visitor = (asked: {
  url: string
  message: string
  elicitationId?: string
}) => Promise<'accept' | 'decline' | 'cancel'>

/** What a person does with a form, told what stands above it. */
export type Filler = (message: string) => object

/** Who is behind a client: without a visitor nobody can be sent to an address, and nobody can be asked anything of `nobody`. */
interface Behind {
  visitor: Visitor | undefined
  filler: Filler | 'nobody' | undefined
}

function able({ visitor, filler }: Behind) {
  if (filler === 'nobody') return {}
  if (visitor === undefined) return capabilities
  return { ...capabilities, elicitation: { ...capabilities.elicitation, url: {} } }
}

/** What is asked in a form is filled in; an address is left to the visitor. */
async function elicited(params: { message: string }, { visitor, filler }: Behind) {
  if (visitor === undefined || !('url' in params))
    return typeof filler === 'function' ? (filler(params.message) as typeof filled) : filled
  return { action: await visitor(params as Parameters<Visitor>[0]) }
}

function behindOne(client: Pick<ClientOne, 'setRequestHandler'>, behind: Behind): void {
  if (behind.filler === 'nobody') return
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicited(params, behind))
  client.setRequestHandler(CreateMessageRequestSchema, async () => said)
  client.setRequestHandler(ListRootsRequestSchema, async () => listed)
}

function behindTwo(client: Pick<ClientTwo, 'setRequestHandler'>, behind: Behind): void {
  if (behind.filler === 'nobody') return
  client.setRequestHandler('elicitation/create', ({ params }) => elicited(params, behind))
  client.setRequestHandler('sampling/createMessage', async () => said)
  client.setRequestHandler('roots/list', async () => listed)
}

/** How the person and the model behind the client answer. */
const filled = {
  action: 'accept' as const,
  content: { username: 'ada', email: 'ada@example.test', name: 'Ada', ok: true, confirm: true },
}
const said = { role: 'assistant' as const, content: { type: 'text' as const, text: 'Paris' }, model: 'none' }
const listed = { roots: [{ uri: 'file:///home/ada', name: 'home' }] }

/** The official client of the first generation, connected. */
export async function speakOne(
  place: Place,
  visitor?: Visitor,
  filler?: Filler | 'nobody',
): Promise<Speaker> {
  const behind = { visitor, filler }
  const client = new ClientOne(info, { capabilities: able(behind) })
  behindOne(client, behind)
  const transport =
    'url' in place
      ? new HttpOne(new URL(place.url), { requestInit: bearer(place.secret) })
      : new StdioOne({ ...place, stderr: 'ignore' })
  const agreed = listenFor(transport as ConnectTo)
  await client.connect(transport as ConnectTo)
  const transcript = recorded(transport)
  return {
    transcript,
    revision: agreed(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      (await client.callTool({ name, arguments: { ...args } }, undefined, options as object)) as Result,
    prompt: async (name, args = {}) => JSON.stringify(await client.getPrompt({ name, arguments: args })),
    async read(uri) {
      const [found] = (await client.readResource({ uri })).contents
      return found !== undefined && 'text' in found ? found.text : undefined
    },
    async watch(uri, told) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => told(params.uri))
      await client.subscribeResource({ uri })
      return async () => void (await client.unsubscribeResource({ uri }))
    },
    close: () => client.close(),
  }
}

type ConnectTo = Parameters<ClientOne['connect']>[0]

/** The first client tells the revision to its transport alone. */
function listenFor(transport: ConnectTo): () => string | undefined {
  let revision: string | undefined
  const own = transport.setProtocolVersion?.bind(transport)
  transport.setProtocolVersion = (version) => {
    revision = version
    own?.(version)
  }
  return () => revision
}

/** The official client of the second generation, connected in the era it is told, or in the one it finds out. */
export async function speakTwo(
  place: Place,
  mode: 'legacy' | 'auto',
  visitor?: Visitor,
  filler?: Filler | 'nobody',
): Promise<Speaker> {
  const behind = { visitor, filler }
  const client = new ClientTwo(info, { capabilities: able(behind), versionNegotiation: { mode } })
  behindTwo(client, behind)
  const transport: TransportTwo =
    'url' in place
      ? new HttpTwo(new URL(place.url), { requestInit: bearer(place.secret) })
      : new StdioTwo({ ...place, stderr: 'ignore' })
  await client.connect(transport)
  const transcript = recorded(transport)
  return {
    transcript,
    revision: client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      (await client.callTool({ name, arguments: { ...args } }, options as object)) as Result,
    prompt: async (name, args = {}) => JSON.stringify(await client.getPrompt({ name, arguments: args })),
    async read(uri) {
      const [found] = (await client.readResource({ uri })).contents
      return found !== undefined && 'text' in found ? found.text : undefined
    },
    async watch(uri, told) {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => told(params.uri))
      if (client.getProtocolEra() === 'modern') {
        const subscription = await client.listen({ resourceSubscriptions: [uri] })
        return () => subscription.close()
      }
      await client.subscribeResource({ uri })
      return async () => void (await client.unsubscribeResource({ uri }))
    },
    close: () => client.close(),
  }
}

function bearer(secret: string) {
  return { headers: { authorization: `Bearer ${secret}` } }
}

/** Keeps what a connected client sends and hears from here on. */
function recorded(transport: object): () => string {
  const lines: string[] = []
  const line = transport as Record<'send' | 'onmessage', (message: unknown, ...more: unknown[]) => unknown>
  for (const way of ['send', 'onmessage'] as const) {
    const own = line[way].bind(transport)
    line[way] = (message, ...more) => {
      lines.push(JSON.stringify(message))
      return own(message, ...more)
    }
  }
  return () => lines.join('\n')
}
