import type { Dialect } from '../dialect.ts'
import { tokenRoutes } from './tokens.ts'
import { refusal, word } from './words.ts'

/** API tokens as mctx has them, for its pipelines as they are (docs/contracts/mctx.md). */
export const mctx: Dialect = {
  via: 'mctx',
  title: 'mctx API tokens',
  owns: (path) => path === '/api/tokens' || path.startsWith('/api/tokens/'),
  routes: tokenRoutes,
  word,
  refusal,
}
