import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './bin.ts'

describe('tokenwright serve', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin.remove())

  it('prints where it is, never the key; commands reach it by --url; it stops when it is told to', async () => {
    const server = spawn(process.execPath, [bin.main, 'serve', '--port', '0', '--data', bin.dataDir])
    let stdout = ''
    let stderr = ''
    server.stderr.on('data', (chunk) => (stderr += chunk))
    try {
      for await (const chunk of server.stdout) {
        stdout += chunk
        if (stdout.includes('Ctrl-C')) break
      }
      const url = /MCP +(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(stdout)![1]!
      const keyFile = join(bin.dataDir, 'admin.key')
      expect(stdout).toContain(keyFile)
      const key = readFileSync(keyFile, 'utf8').trim()
      const env = { TOKENWRIGHT_KEY: key, TOKENWRIGHT_URL: url }
      // The folder comes from the environment too; the address wins over that.
      const made = await bin.json<{ token: { id: string } }>(['create-token', '--name', 'afar'], { env })
      const { events } = await bin.json<{ events: { via: string }[] }>(
        ['audit', 'list', '--target-id', made.token.id],
        { env },
      )
      expect(events).toMatchObject([{ via: 'v1' }])
      const here = await bin.json<object>(['get-token', '--token-id', made.token.id, '--data', bin.dataDir], {
        env,
      })
      expect(here).toMatchObject({ token: { name: 'afar' } })
      const refused = await bin.run(['list-groups'], {
        env: { ...env, TOKENWRIGHT_KEY: `${key.slice(0, -1)}-` },
      })
      expect(refused).toMatchObject({ code: 3, stdout: '' })
      const missing = await bin.run(['get-token', '--token-id', 'mgtk_none'], { env })
      expect(missing).toMatchObject({ code: 5, stderr: expect.stringMatching(/^tokenwright: No token/) })
      const taken = await bin.run(['serve', '--port', new URL(url).port])
      expect(taken).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/--port/) })
      server.kill('SIGTERM')
      const [code] = await once(server, 'exit')
      expect(code).toBe(0)
      expect(stdout + stderr).not.toContain(key.slice(0, 13))
      for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level')
    } finally {
      server.kill('SIGKILL')
    }
  })
})
