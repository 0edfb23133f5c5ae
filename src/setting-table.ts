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
    name: 'allow_commands',
    flag: '--allow-commands',
    env: 'TOKENWRIGHT_ALLOW_COMMANDS',
    kind: 'switch',
    modes: ['serve'],
    default: 'off',
    description: 'Lets the gateway start the programs that servers are configured to run.',
  },
  {
    name: 'allowed_upstreams',
    flag: '--allow-upstream <host>',
    env: 'TOKENWRIGHT_ALLOWED_UPSTREAMS',
    kind: 'list',
    modes: ['serve'],
    default: 'public https addresses',
    description:
      'Host, with or without a port, that the gateway may ask although it is private or speaks plain http.',
  },
  {
    name: 'upstream_timeout',
    flag: '--upstream-timeout <seconds>',
    env: 'TOKENWRIGHT_UPSTREAM_TIMEOUT',
    kind: 'text',
    modes: ['serve'],
    default: '60',
    description: 'How long a server behind the gateway may be silent during a call, in seconds.',
  },
  {
    name: 'leak_keys',
    flag: '--leak-keys <file|url>',
    env: 'TOKENWRIGHT_LEAK_KEYS',
    kind: 'text',
    modes: ['serve'],
    default: 'none: POST /leaks is closed',
    description:
      'Public keys, as a file or an https:// address, that sign the reports of leaks POST /leaks takes.',
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
