import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { banner } from '../cli/banner.ts'
import type { Launch, Terminal } from '../cli/world.ts'
import { type Config, type Flags, readConfig } from '../config.ts'
import { defaultLimits } from '../http/limits.ts'
import { makeLog, standardError } from '../log.ts'
import { serve } from '../serve.ts'
import { instanceOf, logFaults, mcpOptions, stopSignal } from './process.ts'

/** Serves HTTP until it is told to stop. */
export async function serveHttp(flags: Flags, terminal: Terminal, launch: Launch): Promise<void> {
  const config = readConfig('serve', flags)
  const log = makeLog(config.log_level, standardError(true))
  logFaults(log)
  const stopped = stopSignal()
  const { host = '127.0.0.1', port = 8787, public_url, sessions = 'on' } = config
  const server = await serve({
    instance: instanceOf(config),
    host,
    port,
    ...(public_url === undefined ? {} : { publicUrl: public_url }),
    allowedHosts: config.allowed_hosts ?? [],
    allowedOrigins: config.allowed_origins ?? [],
    trustedProxies: config.trusted_proxies ?? [],
    metricsPublic: config.metrics_public ?? false,
    limits: {
      ...defaultLimits,
      failuresPerMinute: config.failure_limit ?? defaultLimits.failuresPerMinute,
      requestsPerSecond: config.request_limit ?? defaultLimits.requestsPerSecond,
    },
    sessions,
    allowCommands: config.allow_commands,
    allowedUpstreams: config.allowed_upstreams,
    upstreamTimeout: config.upstream_timeout === undefined ? undefined : config.upstream_timeout * 1_000,
    leakKeys: config.leak_keys,
    log,
    ...mcpOptions(config),
  })
  terminal.stdout.write(banner({ url: server.url, adminKeyFile: keyFile(config), launch }, terminal.styled))
  await stopped
  log.info('stopping')
  await server.close()
}

/** The file of the first admin key, while it is there. */
function keyFile({ data_dir, admin_key }: Config): string | undefined {
  const file = join(data_dir, 'admin.key')
  return admin_key === undefined && existsSync(file) ? file : undefined
}
