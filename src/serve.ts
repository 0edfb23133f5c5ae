import * as settings from '../db/settings.ts'
import { operations } from '../tools/index.ts'
import { type App, type Instance, openApp } from './app.ts'
import type { Core } from './core/invoke.ts'
import { invoke } from './core/invoke.ts'
import { StartRefused } from './core/master-key.ts'
import { makeUpstreams } from './gateway/open-runs.ts'
import { gatewayFamily, gatewayRoutes } from './gateway/routes.ts'
import { rootApp } from './http/app.ts'
import { makeFace } from './http/face.ts'
import { isLoopback, unreadableHost } from './http/guard.ts'
import { healthRoutes } from './http/health.ts'
import type { HttpLimits } from './http/limits.ts'
import { openServer, type RawRoute } from './http/server.ts'
import type { Logger } from './log.ts'
import { mcpFamily, mcpRoutes } from './mcp/http.ts'
import { makeProduct } from './mcp/product.ts'
import { dialectRoutes, familyOf } from './rest/dialect.ts'
import { dialectsOf } from './rest/dialects.ts'
import { generateFamily, generateRoute } from './rest/gassapi/generate.ts'
import { isAddress, type LeakKeys, makeLeakKeys } from './rest/leaks/keys.ts'
import { leaksRoute } from './rest/leaks/route.ts'
import { nativeApi } from './rest/native.ts'
import { documentRoutes } from './rest/openapi/routes.ts'
import { standardChapters } from './rest/standard/described.ts'
import { forwardAuth, forwardAuthFamily } from './rest/standard/forward-auth.ts'
import { oauthFamily, oauthRoutes } from './rest/standard/oauth.ts'
import { handOverRoutes } from './web/hand-over.ts'
import { pageRoutes } from './web/pages.ts'
import { revealRoutes } from './web/reveal.ts'

/** What it takes to serve HTTP; `src/config.ts` reads it from flags and environment. */
export interface ServeOptions {
  instance: Omit<Instance, 'serving' | 'revealBase' | 'log'>
  host: string
  /** 0 = any free one. */
  port: number
  publicUrl?: string | undefined
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
  trustedProxies: readonly string[]
  metricsPublic: boolean
  limits?: HttpLimits
  sessions: 'on' | 'off'
  /** Programs may be started (security R34). */
  allowCommands?: boolean | undefined
  /** Hosts the gateway may ask although they are private or speak plain http (security R36). */
  allowedUpstreams?: readonly string[] | undefined
  /** How long an upstream may be silent during a call, ms. */
  upstreamTimeout?: number | undefined
  /** How long a program, or a connection that is shared, stays when nobody uses it, ms. */
  upstreamIdle?: number | undefined
  /** A file or an address with the public keys that sign reports of leaks; absent = none are taken. */
  leakKeys?: string | undefined
  toolsets: readonly string[]
  readOnly: boolean
  version: string
  log: Logger
}

export interface Serving {
  /** The server's own address, without a path. */
  url: string
  /** The file a first start wrote the admin key to. */
  adminKeyFile: string | undefined
  /** Answers what is running, at most 5 s, stores what is pending, and lets go of port and database. */
  close(): Promise<void>
}

/** How long a server behind the gateway may be silent during a call unless the operator says otherwise, ms. */
const upstreamPatience = 60_000

const gatewayLimits = { maxSessions: 5_000, idleMs: 30 * 60_000 }

/** How long a shared upstream stays without users unless somebody says otherwise, ms. */
const upstreamIdle = 5 * 60_000

const sessionLimits = { maxSessions: 1_000, idleMs: 30 * 60_000 }

/** Opens the store and serves all of it over HTTP. Throws `StartRefused` naming the setting that is wrong. */
export async function serve(options: ServeOptions): Promise<Serving> {
  refuseUnreachable(options)
  const { log, publicUrl } = options
  let url = publicUrl ?? null
  const app = await openApp({ ...options.instance, serving: true, log, revealBase: async () => url })
  try {
    const face = makeFace({ ...options, core: app.core })
    const mcp = mcpRoutes(face, {
      surface: makeProduct(face.core, options),
      sessions: options.sessions,
      ...sessionLimits,
    })
    const upstreams = makeUpstreams({
      allowed: options.allowedUpstreams ?? [],
      timeout: options.upstreamTimeout ?? upstreamPatience,
      commands: options.allowCommands ?? false,
      log,
    })
    const gateway = gatewayRoutes(face, {
      open: upstreams.open,
      sessions: options.sessions,
      version: options.version,
      timeout: options.upstreamTimeout ?? upstreamPatience,
      linkIdle: options.upstreamIdle ?? upstreamIdle,
      ...gatewayLimits,
    })
    const leakKeys = await leakKeysOf(options, app.core)
    const root = rootApp(face)
    root.get('/', (c) => c.json(welcome))
    root.route('/', healthRoutes(face))
    root.route('/', revealRoutes(face))
    root.route('/', handOverRoutes(face))
    const base = () => (url ?? '').replace(/\/$/, '')
    const dialects = dialectsOf(base)
    root.route('/', documentRoutes({ dialects, more: standardChapters, version: options.version, url: base }))
    root.route('/', pageRoutes(options))
    const server = await openServer({
      ...options,
      face,
      app: root,
      raw: firstOf([
        mcp.route,
        gateway.route,
        forwardAuth(face),
        oauthRoutes(face),
        leaksRoute(face, leakKeys),
        nativeApi(face, operations),
        generateRoute(face),
        ...dialects.map((dialect) => dialectRoutes(face, dialect)),
      ]),
      families: [
        gatewayFamily,
        forwardAuthFamily,
        oauthFamily,
        generateFamily,
        ...dialects.map((dialect) => familyOf(dialect, app.core.clock)),
        mcpFamily,
      ],
    }).catch(refused)
    url ??= server.url
    await writePublicUrl(app.core, url, publicUrl !== undefined)
    return {
      url: server.url,
      adminKeyFile: app.adminKeyFile,
      close: () => closeAll(server, [mcp, gateway, upstreams], app),
    }
  } catch (error) {
    await app.close()
    throw error
  }
}

/** The keys of reports; a file must hold some when the server starts, an address may be out of reach for a while. */
async function leakKeysOf(
  { leakKeys: source, allowedUpstreams: allowed = [], log }: ServeOptions,
  { clock }: Core,
): Promise<LeakKeys | undefined> {
  if (source === undefined) return undefined
  const onError = (error: unknown) => log.warn({ error }, 'the public keys of leak reports cannot be read')
  const keys = makeLeakKeys({ source, allowed, clock, onError })
  if (!isAddress(source))
    await keys.find('').catch(() => {
      throw new StartRefused('leak_keys names a file that holds no list of public keys that can be read.')
    })
  return keys
}

/** Asks each in turn; the first that takes the request answers it. */
function firstOf(routes: readonly RawRoute[]): RawRoute {
  return (request, response, facts) => routes.some((route) => route(request, response, facts))
}

const welcome = {
  name: 'Tokenwright',
  about: 'Issues, scopes, rotates, checks and revokes the credentials of MCP servers.',
  mcp: '/mcp',
  gateway: '/gateway/mcp, /servers/<slug>/mcp',
  operations: 'POST /v1/<name>',
  health: '/health',
  documentation: '/docs',
}

function refuseUnreachable({ host, publicUrl, allowedHosts }: ServeOptions): void {
  const wrong = unreadableHost(allowedHosts)
  if (wrong) throw new StartRefused('allowed_hosts must be host names, each with or without a port.')
  if (isLoopback(host) || publicUrl !== undefined || allowedHosts.length > 0) return
  throw new StartRefused(
    `host is ${host}, which other machines can reach: say by which name they do, with --public-url or --allowed-host.`,
  )
}

function refused(error: NodeJS.ErrnoException): never {
  if (error.code === 'EADDRINUSE')
    throw new StartRefused(
      `port ${'port' in error ? `${error.port} ` : ''}is in use by another process; choose another with --port.`,
    )
  if (error.code === 'EACCES')
    throw new StartRefused('port may not be used by this user; choose one above 1023 with --port.')
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    throw new StartRefused('host is no address of this machine; choose another with --host.')
  }
  throw error
}

/**
 * Tells other processes on the store where links can be opened. An address nobody named never replaces one that
 * somebody did: a second server on a laptop must not turn the links of the real one to itself.
 */
async function writePublicUrl(core: Core, url: string, named: boolean): Promise<void> {
  const { public_url } = await settings.load(core.store.read)
  if (public_url === url) return
  const replaceable = public_url === null || isLoopback(new URL(public_url).hostname)
  const useful = !/\/\/(0\.0\.0\.0|\[::\])(:|$)/.test(url)
  if (!named && !(replaceable && useful)) return
  const update = operations.find(({ name }) => name === 'update_settings')
  if (update === undefined) throw new Error('the operation update_settings is missing')
  const actor = { kind: 'local' as const, id: 'serve', role: 'admin' as const }
  await invoke(core, { actor, via: 'cli', ip: null, client: null, request_id: '' }, update, {
    public_url: url,
  })
}

async function closeAll(
  server: { close(): Promise<void> },
  faces: readonly { close(): Promise<void> }[],
  app: App,
): Promise<void> {
  const drained = server.close()
  for (const face of faces) await face.close()
  await drained
  await app.close()
}
