import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { type Role, roles } from './core/permissions.ts'
import { parseRange } from './domain/ip-range.ts'
import { type Mode, type Setting, type SettingName, settingTable } from './setting-table.ts'

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
  allow_commands: [truth, 'must be true or false'],
  allowed_upstreams: [
    z.array(z.string().regex(/^[^\s/*@]{1,255}$/)),
    'must be host names or addresses, each with or without a port',
  ],
  upstream_timeout: [
    z
      .string()
      .regex(/^\d{1,4}$/)
      .transform(Number)
      .pipe(z.int().min(1).max(3_600)),
    'must be whole seconds from 1 to 3600',
  ],
  leak_keys: [
    z
      .string()
      .max(500)
      .refine((text) => !/^[a-z]+:\/\//i.test(text) || httpUrl.safeParse(text).success),
    'must be a file or an https:// address without credentials',
  ],
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

/** What a program we start needs to find its way; nothing that changes which code it loads, and none of our own. */
const inherited = {
  posix: ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'TERM'],
  win32: [
    'APPDATA',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'PATH',
    'PROCESSOR_ARCHITECTURE',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'USERNAME',
    'USERPROFILE',
    'PROGRAMFILES',
  ],
}

/** The variables a server's program gets from ours (security R34). */
export function inheritedEnvironment(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const names = platform === 'win32' ? inherited.win32 : inherited.posix
  const found: Record<string, string> = {}
  for (const name of names) {
    const value = env[name]
    // A shell would take such a value for a function and run it.
    if (value !== undefined && !value.startsWith('()')) found[name] = value
  }
  return found
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
