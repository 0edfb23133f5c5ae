import type { Target } from './load.ts'
import type { Era } from './mcp.ts'

/** The product opened in this process. */
export interface OpenProduct {
  /** Validates a secret as a use of it, last-used tracking included. */
  verify(secret: string): Promise<boolean>
  create(): Promise<{ id: string; secret: string }>
  rotate(id: string): Promise<unknown>
  revoke(id: string): Promise<unknown>
  /** One page; `next` is the cursor of the one after it. */
  list(limit: number, cursor?: string): Promise<{ count: number; next: string | null }>
  /** Stores everything noted about uses so far. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** The product serving HTTP in a process of its own. */
export interface RunningServer {
  url: string
  port: number
  pid: number
  /** A key that may validate and call tools. */
  key: string
  stop(): Promise<void>
}

export interface Command {
  command: string
  args: string[]
  env: Record<string, string>
}

/** What is measured: the product, or a stand-in that shows what the benchmark itself costs. */
export interface Subject {
  name: string
  /** Inserts live tokens in bulk into a new data folder and answers up to 100,000 secrets, evenly drawn, in random order. */
  seedTokens(dataDir: string, count: number): Promise<string[]>
  openProduct(dataDir: string, databaseUrl?: string): Promise<OpenProduct>
  startServer(dataDir: string, databaseUrl?: string): Promise<RunningServer>
  /** The product's gateway in front of one server, with tokens that open it; `path` is the server's. */
  startGateway(
    dataDir: string,
    upstreamUrl: string,
  ): Promise<RunningServer & { path: string; tokens: string[] }>
  stdioCommand(dataDir: string): Command
  /** `POST /v1/validate_token`. */
  validateTarget(server: RunningServer, secrets: string[]): Target
  /** RFC 7662 introspection. */
  introspectTarget(server: RunningServer, secrets: string[]): Target
  /** Forward-auth of one secret, as a proxy asks it. */
  forwardTarget(server: RunningServer, secrets: string[]): Target
  /** `tools/call validate_token` in a session that this opens. */
  mcpTarget(server: RunningServer, secrets: string[], era: Era): Promise<Target>
}
