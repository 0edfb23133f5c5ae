import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verifies } from '../support/verifies.ts'
import { type Bin, emptyFolder, openBin } from './bin.ts'

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

it(`${verifies('gassapi:cli:failure:late')} Ctrl-C while it works leaves no file and no live token`, async () => {
  const person = { email: 'dev@example.com', password: 'correct horse battery' }
  const input = JSON.stringify(person)
  const { user } = await bin.json<{ user: { id: string } }>(['create-user', '--json-input', '-'], { input })
  const { project } = await bin.json<{ project: { id: string } }>(['create-project', '--name', 'Home'])
  await bin.run(['add-project-member', '--project-id', project.id, '--user-id', user.id])
  const cwd = emptyFolder()
  const args = ['generate-mcp-token', person.email, person.password, project.id, '--data', bin.dataDir]
  const child = spawn(process.execPath, [bin.main, ...args], { cwd })
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdout.once('data', () => child.kill('SIGINT'))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/Interrupted\. The new token mgtk_\w+ was revoked\./),
  ])
  expect(readdirSync(cwd)).toEqual([])
  const { tokens } = await bin.json<{ tokens: { status: string }[] }>(['list-magic-tokens'])
  expect(tokens.map(({ status }) => status)).toEqual(['revoked'])
})
