import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { type Role, roles } from './core/permissions.ts'
import { parseRange } from './domain/ip-range.ts'

/** The way a process was started. */
export type Mode = 'serve' | 'stdio' | 'command'

/** One setting of a process: where it comes from and what it does; documentation and help are made from it. */
export interface Setting {
  name: string
  /** The flag with its placeholder; secrets have none, as other users can read a command line (security R14). */
  flag: string | null
  env: string
  default: string
  description: string
  /** `list` may be repeated as a flag and is separated by commas in the environment. */
  kind: 'text' | 'list' | 'switch'
  modes: readonly Mode[]
}

const everywhere = ['serve', 'stdio', 'command'] as const
const servers = ['serve', 'stdio'] as const

const table = [
  {
    name: 'data_dir',
    flag: '--data <dir>',
    env: 'TOKENWRIGHT_DATA_DIR',
    kind: 'text',
    modes: everywhere,
    default: 'the data folder of the platform',
    description: 'Folder of the database, the keys and the exports.',
  },
  {
    name: 'database_url',
    flag: null,
    env: 'TOKENWRIGHT_DATABASE_URL',
    kind: 'text',
    modes: everywhere,
    default: 'SQLite in the data folder',
    description: 'postgres://… keeps everything in PostgreSQL instead.',
  },
  {
    name: 'secret',
    flag: null,
    env: 'TOKENWRIGHT_SECRET',
    kind: 'text',
    modes: everywhere,
    default: 'secret.key in the data folder',
    description: 'Master key, 32 bytes as base64url; the same on all nodes of one store.',
  },
  {
    name: 'admin_key',
    flag: null,
    env: 'TOKENWRIGHT_ADMIN_KEY',
    kind: 'text',
    modes: everywhere,
    default: 'made by the first start',
    description: 'Makes exactly this key the first admin; make one with: tokenwright key generate.',
  },
  {
    name: 'log_level',
    flag: '--log-level <level>',
    env: 'TOKENWRIGHT_LOG_LEVEL',
    kind: 'text',
    modes: everywhere,
    default: 'info; commands: error',
    description: 'trace, debug, info, warn, error, fatal or silent.',
  },
  {
    name: 'host',
    flag: '--host <address>',
    env: 'TOKENWRIGHT_HOST',
    kind: 'text',
    modes: ['serve'],
    default: '127.0.0.1',
    description: 'Address to listen on.',
  },
  {
    name: 'port',
    flag: '--port <port>',
    env: 'TOKENWRIGHT_PORT',
    kind: 'text',
    modes: ['serve'],
    default: '8787',
    description: 'Port to listen on; 0 picks a free one.',
  },
  {
    name: 'public_url',
    flag: '--public-url <url>',
    env: 'TOKENWRIGHT_PUBLIC_URL',
    kind: 'text',
    modes: ['serve'],
    default: 'the address listened on',
    description: 'Address at which people reach the server; one-time links lead there.',
  },
  {
    name: 'allowed_hosts',
    flag: '--allowed-host <host>',
    env: 'TOKENWRIGHT_ALLOWED_HOSTS',
    kind: 'list',
    modes: ['serve'],
    default: 'the address listened on, localhost, the host of the public URL',
    description: 'Further Host that requests may name; without a port, the port listened on.',
  },
  {
    name: 'allowed_origins',
    flag: '--allowed-origin <origin>',
    env: 'TOKENWRIGHT_ALLOWED_ORIGINS',
    kind: 'list',
    modes: ['serve'],
    default: 'our own',
    description: 'Further Origin that browsers may send, such as https://app.example.',
  },
  {
    name: 'trusted_proxies',
    flag: '--trusted-proxy <range>',
    env: 'TOKENWRIGHT_TRUSTED_PROXIES',
    kind: 'list',
    modes: ['serve'],
    default: 'none',
    description: 'Address or CIDR range of a proxy whose X-Forwarded-For is believed.',
  },
  {
    name: 'metrics_public',
    flag: '--metrics-public',
    env: 'TOKENWRIGHT_METRICS_PUBLIC',
    kind: 'switch',
    modes: ['serve'],
    default: 'off',
    description: 'Serves /metrics without a key.',
  },
  {
    name: 'request_limit',
    flag: '--request-limit <n>',
    env: 'TOKENWRIGHT_REQUEST_LIMIT',
    kind: 'text',
    modes: ['serve'],
    default: 'none',
    description: 'Requests a second from one credential; more are answered 429.',
  },
  {
    name: 'failure_limit',
    flag: '--failure-limit <n>',
    env: 'TOKENWRIGHT_FAILURE_LIMIT',
    kind: 'text',
    modes: ['serve'],
    default: '100',
    description: 'Requests with a bad credential a minute from one address; more are answered 429.',
  },
  {
    name: 'sessions',
    flag: '--sessions <on|off>',
    env: 'TOKENWRIGHT_SESSIONS',
    kind: 'text',
    modes: ['serve'],
    default: 'on',
    description: 'MCP sessions over HTTP; off for several nodes behind one address.',
  },
  {
    name: 'role',
    flag: '--role <role>',
    env: 'TOKENWRIGHT_ROLE',
    kind: 'text',
    modes: ['stdio', 'command'],
    default: 'stdio: operator; commands: admin',
    description: 'What the process may do: admin, operator, reader or validator.',
  },
  {
    name: 'toolsets',
    flag: '--toolsets <a,b>',
    env: 'TOKENWRIGHT_TOOLSETS',
    kind: 'list',
    modes: servers,
    default: 'none',
    description: 'Sets of tools offered to MCP clients beside the default one.',
  },
  {
    name: 'read_only',
    flag: '--read-only',
    env: 'TOKENWRIGHT_READ_ONLY',
    kind: 'switch',
    modes: servers,
    default: 'off',
    description: 'Offers no tool that changes anything.',
  },
  {
    name: 'url',
    flag: '--url <url>',
    env: 'TOKENWRIGHT_URL',
    kind: 'text',
    modes: ['command'],
    default: 'none',
    description: 'Sends commands to the server at this address instead of opening the data folder.',
  },
  {
    name: 'key',
    flag: null,
    env: 'TOKENWRIGHT_KEY',
    kind: 'text',
    modes: ['command'],
    default: 'none',
    description: 'Management key for the server named by the URL.',
  },
  {
    name: 'password',
    flag: null,
    env: 'TOKENWRIGHT_PASSWORD',
    kind: 'text',
    modes: ['command'],
    default: 'none',
    description: 'Password that generate-mcp-token signs in with where none is given.',
  },
] as const satisfies readonly Setting[]

/** Every setting of a process, for help and documentation. */
export const settingTable: readonly Setting[] = table

export type SettingName = (typeof table)[number]['name']

/** Values of flags, by setting. */
export type Flags = Partial<Record<SettingName, string | readonly string[] | boolean>>

/** A setting has a value it cannot have; the sentence names the setting and never the value. */
export class WrongSetting extends Error {
  constructor(source: string, rule: string) {
    super(`${source} ${rule}.`)
    this.name = 'WrongSetting'
  }
}

const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(500)
  .refine((value) => !/^https?:\/\/[^/]*@/.test(value))
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const isOrigin = (value: string) => URL.canParse(value) && new URL(value).origin === value && value !== 'null'
const onOff = z.enum(['on', 'off'])
const truth = z
  .enum(['true', 'false', '1', '0', 'on', 'off'])
  .transform((word) => ['true', '1', 'on'].includes(word))

const count = z
  .string()
  .regex(/^\d{1,6}$/)
  .transform(Number)
  .pipe(z.int().min(1).max(100_000))

/** What each setting may be, and the rule as the end of a sentence. */
const rules = {
  data_dir: [z.string().transform((path) => resolve(path)), 'must be a path'],
  database_url: [z.string().regex(/^postgres(ql)?:\/\//), 'must start with postgres://'],
  secret: [z.string(), 'must be 32 bytes in base64url'],
  admin_key: [z.string(), 'must be a management key'],
  log_level: [z.enum(levels), `must be one of ${levels.join(', ')}`],
  host: [z.string().regex(/^[^\s/]{1,255}$/), 'must be an address or a host name'],
  port: [
    z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .pipe(z.int().max(65_535)),
    'must be a port, 0 to 65535',
  ],
  public_url: [httpUrl, 'must be an http:// or https:// address without credentials'],
  allowed_hosts: [
    z.array(z.string().regex(/^[^\s/*@]{1,255}$/)),
    'must be host names, each with or without a port',
  ],
  allowed_origins: [z.array(z.string().refine(isOrigin)), 'must be origins such as https://app.example'],
  trusted_proxies: [
    z.array(z.string().refine((text) => 'range' in parseRange(text))),
    'must be addresses or CIDR ranges',
  ],
  metrics_public: [truth, 'must be true or false'],
  request_limit: [count, 'must be a whole number from 1 to 100000'],
  failure_limit: [count, 'must be a whole number from 1 to 100000'],
  sessions: [onOff, 'must be on or off'],
  role: [z.enum(roles), `must be one of ${roles.join(', ')}`],
  toolsets: [z.array(z.string().regex(/^[a-z][a-z_]{0,40}$/)), 'must be names of tool sets'],
  read_only: [truth, 'must be true or false'],
  url: [httpUrl, 'must be an http:// or https:// address without credentials'],
  key: [z.string().regex(/^[\x21-\x7e]{1,512}$/), 'must be a management key'],
  password: [z.string(), 'must be a password'],
} satisfies Record<SettingName, [z.ZodType, string]>

type Values = { [Name in SettingName]?: z.output<(typeof rules)[Name][0]> }

/** The settings of a process as it was started, with defaults where it has some. */
export interface Config extends Omit<Values, 'data_dir' | 'role' | 'log_level'> {
  data_dir: string
  /** `postgres://…` or the SQLite file. */
  location: string
  role: Role
  log_level: (typeof levels)[number]
}

/** Reads the settings of a process: flags, then environment, then defaults. Throws `WrongSetting`. */
export function readConfig(mode: Mode, flags: Flags, env: NodeJS.ProcessEnv = process.env): Config {
  const values: Record<string, unknown> = {}
  for (const setting of settingTable) {
    if (!setting.modes.includes(mode)) continue
    const found = given(setting, flags, env)
    if (found !== undefined) values[setting.name] = parse(setting, found)
  }
  const read = values as Values
  const data_dir = read.data_dir ?? platformFolder(process.platform, env)
  return {
    ...read,
    data_dir,
    location: read.database_url ?? join(data_dir, 'tokenwright.db'),
    role: read.role ?? (mode === 'stdio' ? 'operator' : 'admin'),
    log_level: read.log_level ?? (mode === 'command' ? 'error' : 'info'),
  }
}

/** Where the platform keeps the data of a program for one user. */
export function platformFolder(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Tokenwright')
  if (platform === 'win32')
    return join(env['APPDATA'] || join(homedir(), 'AppData', 'Roaming'), 'Tokenwright')
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'tokenwright')
}

/** Whether the user asked for output without colours (no-color.org). */
export function plainOutput(env: NodeJS.ProcessEnv = process.env): boolean {
  return (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
}

interface Given {
  source: string
  value: string | readonly string[]
}

function given(setting: Setting, flags: Flags, env: NodeJS.ProcessEnv): Given | undefined {
  const flag = flags[setting.name as SettingName]
  if (flag !== undefined) {
    const source = setting.flag?.split(' ')[0] ?? setting.name
    const value = typeof flag === 'boolean' ? String(flag) : flag
    return { source, value: setting.kind === 'list' ? [value].flat().flatMap(parts) : value }
  }
  const text = env[setting.env]
  if (text === undefined) return undefined
  return { source: setting.env, value: setting.kind === 'list' ? parts(text) : text }
}

function parts(text: string): string[] {
  return text.split(',').map((part) => part.trim())
}

function parse(setting: Setting, { source, value }: Given): unknown {
  if ([value].flat().includes('')) throw new WrongSetting(source, 'is empty; leave it out or give it a value')
  const [schema, rule] = rules[setting.name as SettingName]
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new WrongSetting(source, rule)
  return parsed.data
}
