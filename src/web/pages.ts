import { Hono } from 'hono'
import type { HttpEnv } from '../http/types.ts'
import { pageFiles, readPageFile } from './page-files.ts'

const headers = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    'worker-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** A page: what it loads and the script that starts it, each below its own path. */
interface Page {
  path: string
  styles: string[]
  script: string
  start: string
}

const pages: Page[] = [
  {
    path: 'docs',
    styles: ['swagger-ui.css'],
    script: 'swagger-ui-bundle.js',
    start: `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#page',
  deepLinking: true,
  filter: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
})
`,
  },
  {
    path: 'redoc',
    styles: [],
    script: 'redoc.standalone.js',
    start: `Redoc.init('openapi.json', { nativeScrollbars: true }, document.getElementById('page'))
`,
  },
]

/** `/docs` and `/redoc`, for everybody; they load what is served here and nothing else (enkrypt:docs:pages:served). */
export function pageRoutes({ version }: { version: string }): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  for (const page of pages) {
    const { path, styles, script, start } = page
    const html = htmlOf(page, version)
    app.get(`/${path}`, (c) => c.html(html, 200, headers))
    app.get(`/${path}/start.js`, (c) =>
      c.body(start, 200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache' }),
    )
    for (const file of [...styles, script]) {
      const text = once(() => readPageFile(file))
      const kept = {
        'content-type': pageFiles[file]?.type ?? '',
        'cache-control': 'public, max-age=31536000, immutable',
      }
      app.get(`/${path}/${file}`, async (c) => c.body(await text(), 200, kept))
    }
  }
  return app
}

/** The address of a file names the version, because it is kept for a year. */
function htmlOf({ path, styles, script }: Page, version: string): string {
  const address = (file: string) => `${path}/${file}?v=${encodeURIComponent(version)}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tokenwright API</title>
<link rel="icon" href="data:,">
<style>body { margin: 0 }</style>
${styles.map((file) => `<link rel="stylesheet" href="${address(file)}">`).join('\n')}
</head>
<body>
<div id="page"></div>
<script src="${address(script)}"></script>
<script src="${path}/start.js"></script>
</body>
</html>
`
}

/** Megabytes are read when they are first asked for, and once. */
function once(read: () => Promise<string>): () => Promise<string> {
  let text: Promise<string> | undefined
  return () => {
    text ??= read()
    return text
  }
}
