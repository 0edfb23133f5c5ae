import { AppError } from '../../core/errors.ts'
import type { Dialect } from '../dialect.ts'
import { groupRoutes } from './groups.ts'
import { readQuery } from './query.ts'
import { serverRoutes } from './servers.ts'
import { tokenRoutes } from './tokens.ts'
import { parse, refusal, word } from './words.ts'

/** What Metorial's magic MCP API offers, for its clients as they are (docs/contracts/metorial.md). */
export function metorial(base: () => string): Dialect {
  return {
    via: 'metorial',
    title: 'Metorial magic MCP',
    owns: (path) => path.startsWith('/magic-mcp-'),
    routes: [...tokenRoutes, ...groupRoutes, ...serverRoutes(base)],
    word,
    refusal,
    parse,
    readQuery,
    refuseType(contentType) {
      if (contentType === undefined || /^application\/json *(;|$)/i.test(contentType)) return
      throw new AppError('unsupported', 'Send the body as application/json.', { reason: 'media_type' })
    },
  }
}
