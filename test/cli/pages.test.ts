import { spawn } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './bin.ts'

describe('the pages of a release', () => {
  let bin: Bin
  let pages: string
  beforeAll(async () => {
    bin = await openBin()
    pages = join(dirname(bin.main), 'pages')
  })
  afterAll(() => bin.remove())

  it('what the pages load is in the bundle, with its licences and within 3.2 MB', () => {
    const files = readdirSync(pages).sort()
    expect(files).toEqual([
      'redoc.LICENSE.txt',
      'redoc.standalone.js',
      'redoc.standalone.js.LICENSE.txt',
      'swagger-ui-bundle.js',
      'swagger-ui-bundle.js.LICENSE.txt',
      'swagger-ui.LICENSE.txt',
      'swagger-ui.NOTICE.txt',
      'swagger-ui.css',
    ])
    const bytes = files.reduce((sum, file) => sum + statSync(join(pages, file)).size, 0)
    expect(bytes).toBeLessThan(3_200_000)
  })

  it('the program serves the pages, and their files from the bundle rather than from a package', async () => {
    appendFileSync(join(pages, 'swagger-ui.css'), '/* of the bundle */')
    appendFileSync(join(pages, 'redoc.standalone.js'), '// of the bundle')
    const server = spawn(process.execPath, [bin.main, 'serve', '--port', '0', '--data', bin.dataDir])
    try {
      let stdout = ''
      for await (const chunk of server.stdout) {
        stdout += chunk
        if (stdout.includes('Ctrl-C')) break
      }
      const url = /MCP +(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(stdout)![1]!
      const text = async (path: string) => {
        const response = await fetch(url + path)
        expect([path, response.status]).toEqual([path, 200])
        return response.text()
      }
      const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
      expect(await text('/docs')).toContain(`swagger-ui.css?v=${version}`)
      expect(await text('/redoc')).toContain(`redoc.standalone.js?v=${version}`)
      expect(await text('/docs/swagger-ui.css')).toMatch(/of the bundle \*\/$/)
      expect(await text('/redoc/redoc.standalone.js')).toMatch(/of the bundle$/)
      expect(await text('/docs/swagger-ui-bundle.js')).toContain('SwaggerUIBundle')
      expect(JSON.parse(await text('/openapi.json'))).toMatchObject({
        info: { version },
        servers: [{ url }],
      })
    } finally {
      server.kill('SIGKILL')
    }
  })
})
