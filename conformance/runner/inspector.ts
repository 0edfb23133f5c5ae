import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Opened } from '../fixture/serve.ts'
import { run } from './child.ts'
import { folder, nodeOfSuites } from './node.ts'
import { emptyVerdict, type Verdict } from './verdict.ts'

const program = join(folder, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js')
const product = join(folder, '../dist/main.js')

interface Step {
  args: string[]
  /** How the Inspector ends: 0 = well, 5 = the tool refused. */
  code: number
  /** What its one line of JSON must hold. */
  holds: RegExp
}

const steps: Step[] = [
  // Ends with 6 for a schema that clients could not read.
  { args: ['--method', 'tools/list', '--strict'], code: 0, holds: /"name":"create_token"/ },
  { args: call('list_groups', { limit: 1 }), code: 0, holds: /"structuredContent":\{"groups":\[\]/ },
  { args: call('get_token', { token_id: 'tok_unknown' }), code: 5, holds: /"tokenwright\/code":"/ },
  { args: ['--method', 'resources/list'], code: 0, holds: /"resources":\[\{/ },
  { args: ['--method', 'resources/templates/list'], code: 0, holds: /"uriTemplate":"token:/ },
  { args: ['--method', 'resources/read', '--uri', 'tokens://expiring'], code: 0, holds: /"mimeType":/ },
  { args: ['--method', 'prompts/list'], code: 0, holds: /"name":"rotate_due"/ },
  { args: ['--method', 'prompts/get', '--prompt-name', 'rotate_due'], code: 0, holds: /"messages":\[\{/ },
]

const eras = ['legacy', 'modern'] as const

/** Drives the Inspector's command line over stdio and over HTTP, in both eras of the protocol. */
export async function runInspector(real: Opened): Promise<Verdict> {
  if (!existsSync(product)) throw new Error('dist/main.js is missing; npm run build makes it.')
  const home = mkdtempSync(join(tmpdir(), 'tokenwright-inspector-'))
  const verdict = emptyVerdict('real', 'Inspector')
  const roads = {
    http: ['--server-url', real.own, '--header', `Authorization: Bearer ${real.credential}`],
    stdio: ['-e', `TOKENWRIGHT_DATA_DIR=${join(home, 'data')}`, '--', process.execPath, product, 'stdio'],
  }
  try {
    for (const era of eras) {
      for (const [road, target] of Object.entries(roads)) {
        verdict.scenarios++
        for (const { args, code, holds } of steps) {
          const fixed = ['--cli', '--protocol-era', era, '--quiet', '--format', 'json']
          const ended = await run(nodeOfSuites(), [program, ...fixed, ...args, ...target], {
            patience: 60_000,
            env: { ...process.env, HOME: home },
          })
          const said = `${ended.stdout}${ended.stderr}`
          if (ended.code === code && holds.test(said)) verdict.passed++
          else
            verdict.failed.push(`${era} ${road} ${args.join(' ')}: ended with ${ended.code}: ${short(said)}`)
        }
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return verdict
}

function call(tool: string, args: object): string[] {
  return ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)]
}

function short(text: string): string {
  return text.trim().slice(0, 300)
}
