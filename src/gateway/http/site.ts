import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Agents } from './agents.ts'

/** An address of an upstream, ready to be asked over and over. */
export interface Site {
  readonly url: URL
  /** A request with the stored headers and these more, as flat pairs; it waits for its `end`. */
  ask(method: 'POST' | 'GET' | 'DELETE', more: readonly string[]): ClientRequest
  /** Another place of the same origin, asked in the same way; undefined if it is of another. */
  at(reference: string): Site | undefined
}

/** They belong to the protocol or to the connection; a stored header never takes their place. */
const ours =
  /^(?:host|connection|proxy-connection|proxy-authorization|keep-alive|transfer-encoding|content-length|content-type|content-encoding|accept|accept-encoding|te|trailer|upgrade|expect|last-event-id|mcp-session-id|mcp-protocol-version)$/i

/** Prepares the requests to an address; `lookup` is the one its fence gave out for it. */
export function makeSite(
  url: URL,
  headers: Readonly<Record<string, string>>,
  lookup: LookupFunction,
  agents: Agents,
): Site {
  const secure = url.protocol === 'https:'
  const request = secure ? httpsRequest : httpRequest
  const stored = Object.entries(headers).filter(([name]) => !ours.test(name))
  const fixed = ['host', url.host, 'accept-encoding', 'identity', ...stored.flat()]
  const base: RequestOptions = {
    protocol: url.protocol,
    hostname: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    agent: secure ? agents.https : agents.http,
    lookup,
  }
  return {
    url,
    ask: (method, more) => request({ ...base, method, headers: fixed.concat(more) }),
    at(reference) {
      if (!URL.canParse(reference, url.href)) return undefined
      const other = new URL(reference, url)
      return other.origin === url.origin && other.username === '' && other.password === ''
        ? makeSite(other, headers, lookup, agents)
        : undefined
    },
  }
}
