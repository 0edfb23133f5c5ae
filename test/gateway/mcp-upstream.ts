import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  CallToolRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'

/** A real MCP server over streamable HTTP that remembers what it was asked. */
export interface Upstream {
  url: string
  /** Method and name of every request it was asked, in order; `initialize` left out. */
  asked: string[]
  /** The headers of every HTTP request that reached it. */
  headers: IncomingHttpHeaders[]
  /** Sessions that are open now. */
  sessions(): number
  /** Sends a log message on the standing streams of all its sessions. */
  shout(text: string): Promise<void>
  close(): Promise<void>
}

const tools = ['echo', 'upper', 'delete_all', 'progress', 'ask', 'slow'].map((name) => ({
  name,
  description: `Tool ${name}.`,
  inputSchema: { type: 'object' as const },
}))

const answered = (text: string) => ({ content: [{ type: 'text' as const, text }] })

/** Opens one on a free port of this machine. */
export async function openUpstream(name = 'fixture'): Promise<Upstream> {
  const asked: string[] = []
  const headers: IncomingHttpHeaders[] = []
  const open = new Map<string, { server: Server; transport: StreamableHTTPServerTransport }>()

  function makeServer(): Server {
    const server = new Server(
      { name, version: '1.0.0' },
      { capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} } },
    )
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      asked.push(`tools/call ${params.name}`)
      const text = String(params.arguments?.['text'] ?? '')
      const token = params._meta?.progressToken
      if (params.name === 'upper') return answered(text.toUpperCase())
      if (params.name === 'progress' && token !== undefined)
        for (const progress of [1, 2, 3])
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken: token, progress, total: 3 },
          })
      if (params.name === 'ask') {
        const reply = await server.createMessage(
          { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 10 },
          { relatedRequestId: extra.requestId },
        )
        return answered(`the client said ${JSON.stringify(reply.content)}`)
      }
      if (params.name === 'slow' || params.arguments?.['ms'] !== undefined)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Number(params.arguments?.['ms'] ?? 1_000))
          extra.signal.addEventListener('abort', () => {
            asked.push('cancelled slow')
            clearTimeout(timer)
            resolve()
          })
        })
      return answered(text)
    })
    server.setRequestHandler(ListPromptsRequestSchema, () => ({
      prompts: [{ name: 'greet' }, { name: 'delete_prompt' }],
    }))
    server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
      asked.push(`prompts/get ${params.name}`)
      return { messages: [{ role: 'user', content: { type: 'text', text: 'hello' } }] }
    })
    server.setRequestHandler(ListResourcesRequestSchema, () => ({
      resources: [
        { name: 'open', uri: 'demo://open/1' },
        { name: 'closed', uri: 'demo://closed/1' },
      ],
    }))
    server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
      resourceTemplates: [{ name: 'all', uriTemplate: 'demo://open/{id}' }],
    }))
    server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => {
      asked.push(`resources/read ${params.uri}`)
      return { contents: [{ uri: params.uri, text: 'contents' }] }
    })
    return server
  }

  async function transportFor(request: IncomingMessage): Promise<StreamableHTTPServerTransport> {
    const known = open.get(String(request.headers['mcp-session-id']))
    if (known !== undefined) return known.transport
    const server = makeServer()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void open.set(id, { server, transport }),
      onsessionclosed: (id) => void open.delete(id),
    })
    await server.connect(transport as never)
    return transport
  }

  const http = createServer(async (request, response) => {
    headers.push(request.headers)
    await (await transportFor(request)).handleRequest(request, response)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    asked,
    headers,
    sessions: () => open.size,
    async shout(text) {
      for (const { server } of open.values())
        await server.sendLoggingMessage({ level: 'info', data: text }).catch(() => undefined)
    },
    async close() {
      for (const { transport } of open.values()) await transport.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
