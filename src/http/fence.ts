import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from '../domain/public-address.ts'

/** Every address of a name, as `dns.lookup` with `all` finds them. */
export type Resolve = (
  hostname: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** What an outbound request has to pass before a connection is made for it (security R36). */
export interface Fence {
  /**
   * Refuses an address with a `fault`, or answers the look-up its connections have to use: it hands over only
   * addresses it has tested, and so nothing can be resolved again to something else.
   */
  check(url: URL): LookupFunction
}

export interface FenceOptions {
  /** `host` or `host:port`, as the operator lists them with --allow-upstream. */
  allowed: readonly string[]
  resolve?: Resolve | undefined
  /** Makes the error of what does not pass, or of a name without an address. */
  fault(problem: 'fenced' | 'unreachable', message: string): Error
}

const portOf: Record<string, string> = { 'http:': '80', 'https:': '443' }

/** Makes the fence around outbound requests: https to public addresses, and what the operator has listed. */
export function makeFence({ allowed, resolve = systemLookup, fault }: FenceOptions): Fence {
  const refused = (why: string) => fault('fenced', `The address of the server may not be asked: ${why}.`)
  const listed = new Set(allowed.map(asListed))
  const resolveOnce = shared(resolve)
  return {
    check(url) {
      const { protocol, hostname } = url
      const usual = portOf[protocol]
      if (usual === undefined) throw refused(`${protocol} is no protocol of a server`)
      const port = url.port === '' ? usual : url.port
      if (url.username !== '' || url.password !== '')
        throw refused('a user or a password in it is not allowed')
      const open = listed.has(hostname) || listed.has(`${hostname}:${port}`)
      const way = `list it with --allow-upstream ${hostname}:${port} to allow it`
      if (!open && protocol !== 'https:') throw refused(`${hostname} would be asked without TLS; ${way}`)
      const address = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
      if (!open && isIP(address) !== 0 && !isPublicAddress(address))
        throw refused(`${hostname} is no public address; ${way}`)
      return (name, options, callback) =>
        resolveOnce(name, (error, found) => {
          if (error !== null) return callback(error, [])
          const foreign = open ? undefined : found.find((one) => !isPublicAddress(one.address))
          if (foreign !== undefined)
            return callback(refused(`${hostname} is at ${foreign.address}, no public address; ${way}`), [])
          hand(found, options, callback, fault)
        })
    },
  }
}

/** The spelling a URL would give it, so that the two can be compared. */
function asListed(entry: string): string {
  const [, name = entry, port] = /^(.*?)(:\d{1,5})?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
  const host = URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : name
  return port === undefined ? host : `${host}:${Number(port.slice(1))}`
}

/** Look-ups of one name share one, since each takes a thread and a slow name must not take them all. */
function shared(resolve: Resolve) {
  type Callback = Parameters<Resolve>[2]
  const waiting = new Map<string, Callback[]>()
  return (name: string, callback: Callback) => {
    const others = waiting.get(name)
    if (others !== undefined) return void others.push(callback)
    const callbacks = [callback]
    waiting.set(name, callbacks)
    resolve(name, { all: true }, (error, addresses) => {
      waiting.delete(name)
      for (const one of callbacks) one(error, addresses)
    })
  }
}

/** Answers in the form that was asked for: one address, or all of them. */
function hand(
  found: LookupAddress[],
  { all, family }: Parameters<LookupFunction>[1],
  callback: Parameters<LookupFunction>[2],
  fault: FenceOptions['fault'],
): void {
  const wanted = family === 4 || family === 6 ? found.filter((one) => one.family === family) : found
  const [first] = wanted
  if (first === undefined) callback(fault('unreachable', 'The name has no address.'), [])
  else if (all === true) callback(null, wanted)
  else callback(null, first.address, first.family)
}
