import type { IncomingMessage } from 'node:http'
import { headerValues } from '../../http/bearer.ts'
import { soughtBy } from '../query.ts'

/** What a proxy asks about the token of the request it holds. */
export interface Asked {
  server?: string
  tool?: string
  /** Two places name different things: nothing may pass, whatever the rules of the token. */
  contradicts: 'server_not_in_scope' | 'tool_not_in_scope' | undefined
}

/**
 * The server and the tool that are asked for: by the segment behind `base` in the path, by the headers X-Auth-Server and
 * X-Auth-Tool, by `server` and `tool` of the query. Whatever says one must say the same, or nothing passes: a proxy may
 * hand on what its client wrote, and that can narrow what the proxy asks for but never replace it.
 */
export function askedOf(request: IncomingMessage, path: string, base: string): Asked {
  const { url = '' } = request
  const at = url.indexOf('?')
  const query = at === -1 ? undefined : new URLSearchParams(url.slice(at + 1))
  const named = (name: string) => [...headerValues(request, `x-auth-${name}`), ...(query?.getAll(name) ?? [])]
  const segment = path.length === base.length ? [] : [segmentOf(path.slice(base.length + 1))]
  const servers = [...segment, ...named('server')]
  const tools = named('tool')
  if (!agree(servers)) return { contradicts: 'server_not_in_scope' }
  if (!agree(tools)) return { contradicts: 'tool_not_in_scope' }
  const asked: Asked = { contradicts: undefined }
  const [[server], [tool]] = [servers, tools]
  if (server !== undefined) asked.server = soughtBy(server)
  if (tool !== undefined) asked.tool = tool
  return asked
}

function agree([first, ...others]: readonly string[]): boolean {
  return others.every((value) => value === first)
}

/** The first segment, decoded; what follows is the path of the original request, where a proxy appends it. */
function segmentOf(rest: string): string {
  const [segment = ''] = rest.split('/', 1)
  try {
    return decodeURIComponent(segment)
  } catch {
    // A server of that name is none.
    return ''
  }
}
