import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { canonicalIp, ipAllowed } from '../domain/ip-range.ts'
import { onlyHeader } from './bearer.ts'

/** What a server is reached by. */
export interface Reachable {
  /** The address bound to and the port really listened on. */
  host: string
  port: number
  publicUrl?: string | undefined
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
}

/** `anyOrigin` is asked about an Origin that is not on the list, and lets it pass. */
export type Guard = (request: IncomingMessage, anyOrigin?: () => boolean) => boolean

/**
 * Lets a request pass whose Host is on the list, exactly and with its port, and whose Origin, if it sends one,
 * is too; runs on every route before anything else (security R22). Nothing is normalised: what differs is foreign.
 */
export function makeGuard(reachable: Reachable): Guard {
  const hosts = new Set<string>()
  const origins = new Set(reachable.allowedOrigins)
  for (const { name, port, scheme } of namesOf(reachable)) {
    hosts.add(`${name}:${port}`)
    if (port === 80 || port === 443) hosts.add(name)
    origins.add(new URL(`${scheme}://${name}:${port}`).origin)
  }
  return (request, anyOrigin = () => false) => {
    const { value: host, single } = onlyHeader(request, 'host')
    if (host === undefined || !single || !hosts.has(host)) return false
    if (!targetAgrees(request, host)) return false
    const origin = onlyHeader(request, 'origin')
    return origin.value === undefined || (origin.single && origins.has(origin.value)) || anyOrigin()
  }
}

/** The first entry that is no host name with or without a port. */
export function unreadableHost(allowedHosts: readonly string[]): string | undefined {
  return allowedHosts.find((entry) => {
    const { name, port } = ofEntry(entry, 1)
    return (
      port > 65_535 || !URL.canParse(`http://${name}:${port}`) || new URL(`http://${name}`).hostname !== name
    )
  })
}

/** True if the address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  const ip = canonicalIp(host)
  return host === 'localhost' || ip === '::1' || (ip !== undefined && ipAllowed(['127.0.0.0/8'], ip))
}

interface Name {
  name: string
  port: number
  scheme: 'http' | 'https'
}

function namesOf({ host, port, publicUrl, allowedHosts }: Reachable): Name[] {
  const own = isWildcard(host) ? [] : [isIP(host) === 6 ? `[${host}]` : host.toLowerCase()]
  const local = isLoopback(host) ? ['localhost'] : []
  return [
    ...[...own, ...local].map((name): Name => ({ name, port, scheme: 'http' })),
    ...(publicUrl === undefined ? [] : [ofUrl(new URL(publicUrl))]),
    ...allowedHosts.map((entry) => ofEntry(entry, port)),
  ]
}

/** An address that stands for all of the machine names nothing a browser should be talking to. */
function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || canonicalIp(host) === '::'
}

function ofUrl({ protocol, hostname, port }: URL): Name {
  const scheme = protocol === 'https:' ? 'https' : 'http'
  return { name: hostname, port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port), scheme }
}

function ofEntry(entry: string, listened: number): Name {
  const [, name = entry, given] =
    /^(.*?)(?::(\d{1,5}))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
  const port = given === undefined ? listened : Number(given)
  return { name: name.toLowerCase(), port, scheme: port === 443 ? 'https' : 'http' }
}

/** A request line may name the host as well; then it must be the same, and only the path goes on. */
function targetAgrees(request: IncomingMessage, host: string): boolean {
  const target = request.url ?? ''
  if (target.startsWith('/')) return true
  const own = `http://${host}`
  const rest = target.startsWith(own) ? target.slice(own.length) : ' '
  if (rest !== '' && !rest.startsWith('/') && !rest.startsWith('?')) return target === '*'
  request.url = rest.startsWith('/') ? rest : `/${rest}`
  return true
}
