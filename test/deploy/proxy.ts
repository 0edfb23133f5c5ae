import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What stands in the shipped files, and what a test puts in its place. */
export interface Places {
  listen: number
  server: number
  tokenwright: number
}

/** A real reverse proxy with the configuration that is shipped, on ports of its own. */
export interface RunningProxy {
  url: string
  stop(): Promise<void>
}

interface Kind {
  name: string
  /** The package of Debian that has it. */
  program: string
  start(places: Places, folder: string): { args: string[]; env?: Record<string, string> }
}

const shipped = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url)), 'utf8')

/** The shipped text with its ports replaced; a text that has not all of them is no longer what is tested. */
function placed(file: string, { listen, server, tokenwright }: Places): string {
  let text = shipped(file)
  for (const [from, to] of [
    [':8080', listen],
    ['127.0.0.1:3000', server],
    ['127.0.0.1:8787', tokenwright],
  ] as const) {
    const pattern =
      from === ':8080' ? /((?:^|listen |bind )[:]?)8080/m : new RegExp(from.replaceAll('.', '\\.'), 'g')
    if (!pattern.test(text)) throw new Error(`${file} does not hold ${from}`)
    text = text.replace(pattern, from === ':8080' ? `$1${to}` : `127.0.0.1:${to}`)
  }
  return text
}

export const kinds: Kind[] = [
  {
    name: 'nginx',
    program: 'nginx',
    start(places, folder) {
      writeFileSync(join(folder, 'site.conf'), placed('nginx/tokenwright.conf', places))
      const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${join(folder, name)};`)
        .join(' ')
      const main = `daemon off; pid ${join(folder, 'pid')}; error_log ${join(folder, 'error.log')};
        events {} http { access_log off; ${temp} include ${join(folder, 'site.conf')}; }`
      writeFileSync(join(folder, 'nginx.conf'), main)
      return { args: ['-c', join(folder, 'nginx.conf'), '-p', folder] }
    },
  },
  {
    name: 'Caddy',
    program: 'caddy',
    start(places, folder) {
      const globals = '{\n\tadmin off\n\tauto_https off\n}\n'
      writeFileSync(join(folder, 'Caddyfile'), globals + placed('caddy/Caddyfile', places))
      const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
      return { args: ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'], env }
    },
  },
  {
    name: 'HAProxy',
    program: 'haproxy',
    start(places, folder) {
      writeFileSync(join(folder, 'tokenwright.lua'), shipped('haproxy/tokenwright.lua'))
      const text = placed('haproxy/haproxy.cfg', places).replace('/etc/haproxy', folder)
      writeFileSync(join(folder, 'haproxy.cfg'), text)
      return { args: ['-db', '-f', join(folder, 'haproxy.cfg')] }
    },
  },
]

/** Where a program is; Debian keeps daemons where not every user looks. */
export function installed(program: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return places.map((place) => join(place, program)).find((file) => existsSync(file))
}

/** Starts one in front of an MCP server and asks that Tokenwright. */
export async function startProxy(kind: Kind, places: Omit<Places, 'listen'>): Promise<RunningProxy> {
  const file = installed(kind.program)
  if (file === undefined) throw new Error(`${kind.program} is not installed`)
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-proxy-'))
  if (process.getuid?.() === 0) spawnSync('chmod', ['0777', folder])
  const listen = await freePort()
  const { args, env = {} } = kind.start({ ...places, listen }, folder)
  const child = spawn(file, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: 'pipe',
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  await listening(listen, child, () => said)
  return {
    url: `http://127.0.0.1:${listen}`,
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      clearTimeout(timer)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said()}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it does not listen: ${said()}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
