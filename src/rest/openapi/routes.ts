import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import type { HttpEnv } from '../../http/types.ts'
import type { Dialect } from '../dialect.ts'
import type { Chapter } from './described.ts'
import { dialectChapter } from './dialect.ts'
import { documentOf } from './document.ts'
import { nativeChapters } from './native.ts'
import { plainChapters } from './plain.ts'

interface Options {
  dialects: readonly Dialect[]
  /** Chapters of routes that are neither operations nor of a dialect. */
  more?: readonly Chapter[]
  version: string
  /** The address people reach this server at. */
  url(): string
}

/** `/openapi.json`, for everybody (enkrypt:docs:pages:served); built when it is first asked for. */
export function documentRoutes(options: Options): Hono<HttpEnv> {
  let built: { text: string; tag: string } | undefined
  const app = new Hono<HttpEnv>()
  app.get('/openapi.json', (c) => {
    built ??= written(options)
    const headers = { etag: built.tag, 'cache-control': 'no-cache' }
    if (c.req.header('if-none-match') === built.tag) return c.body(null, 304, headers)
    return c.body(built.text, 200, { ...headers, 'content-type': 'application/json' })
  })
  return app
}

function written({ dialects, more = [], version, url }: Options): { text: string; tag: string } {
  const document = documentOf(
    [
      ['Operations', nativeChapters()],
      ['Dialects', dialects.map(dialectChapter)],
      ['Server', [...plainChapters, ...more]],
    ],
    { version, url: url() },
  )
  const text = JSON.stringify(document)
  return { text, tag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` }
}
