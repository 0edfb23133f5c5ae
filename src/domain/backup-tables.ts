type Plain = 'text' | 'int' | 'bit' | 'bytes' | 'digest'

/** What a column holds; `?` = that or null. `bytes` and `digest` (32 of them) stand in a backup as base64. */
export type ColumnKind = Plain | `${Plain}?`

interface TableForm {
  /** Its primary key, in the order rows are read. */
  key: readonly string[]
  columns: Readonly<Record<string, ColumnKind>>
  /** Which columns name rows of which other table. */
  references: Readonly<Record<string, string>>
  /** The last columns, in the order in which they came: earlier backups lack some, which stand for null there. */
  added?: readonly string[]
  /** The first backups have not this table. */
  addition?: true
}

const times = { created_at: 'text', updated_at: 'text' } as const

/**
 * The tables of a backup, those that are named by others first. Not in it: the trail, revocations and settings, which no
 * restore takes back; links and kept answers, which hold secrets (security R56, R57).
 */
export const backupTables = {
  users: {
    key: ['id'],
    columns: {
      id: 'text',
      email: 'text',
      name: 'text?',
      password_hash: 'text?',
      enabled: 'bit',
      ...times,
      deleted_at: 'text?',
    },
    references: {},
  },
  configs: { key: ['id'], columns: { id: 'text', name: 'text', ...times }, references: {} },
  projects: {
    key: ['id'],
    columns: {
      id: 'text',
      name: 'text',
      description: 'text?',
      config_id: 'text?',
      ...times,
      deleted_at: 'text?',
      policy: 'text?',
    },
    references: { config_id: 'configs' },
    added: ['policy'],
  },
  project_members: {
    key: ['project_id', 'user_id'],
    columns: { project_id: 'text', user_id: 'text', created_at: 'text' },
    references: { project_id: 'projects', user_id: 'users' },
  },
  environments: {
    key: ['id'],
    columns: {
      id: 'text',
      project_id: 'text',
      name: 'text',
      description: 'text?',
      variables: 'text',
      is_default: 'bit',
      ...times,
    },
    references: { project_id: 'projects' },
  },
  servers: {
    key: ['id'],
    columns: {
      id: 'text',
      slug: 'text',
      name: 'text?',
      description: 'text?',
      metadata: 'text',
      config_id: 'text?',
      command: 'text?',
      args: 'text',
      env: 'bytes?',
      url: 'text?',
      headers: 'bytes?',
      tools: 'text',
      input_guardrails: 'text',
      output_guardrails: 'text',
      ...times,
      deleted_at: 'text?',
    },
    references: { config_id: 'configs' },
  },
  groups: {
    key: ['id'],
    columns: {
      id: 'text',
      slug: 'text',
      name: 'text',
      description: 'text?',
      metadata: 'text',
      ...times,
      deleted_at: 'text?',
    },
    references: {},
  },
  group_servers: {
    key: ['group_id', 'server_id'],
    columns: { group_id: 'text', server_id: 'text' },
    references: { group_id: 'groups', server_id: 'servers' },
  },
  tokens: {
    key: ['id'],
    columns: {
      id: 'text',
      kind: 'text',
      role: 'text?',
      source: 'text',
      name: 'text?',
      description: 'text?',
      metadata: 'text',
      owner_id: 'text?',
      project_id: 'text?',
      all_servers: 'bit',
      allowed_ips: 'text?',
      tool_rules: 'text?',
      not_before: 'text?',
      expires_at: 'text?',
      enabled: 'bit',
      disabled_at: 'text?',
      enabled_at: 'text?',
      generation: 'int',
      pepper_id: 'int',
      secret_hash: 'digest',
      prefix: 'text',
      last4: 'text',
      secret_used_at: 'text?',
      previous_hash: 'digest?',
      previous_until: 'text?',
      previous_used_at: 'text?',
      last_used_at: 'text?',
      last_used_ip: 'text?',
      use_count: 'int',
      rotated_at: 'text?',
      revoked_at: 'text?',
      created_by: 'text?',
      ...times,
      limit_requests: 'int?',
      limit_seconds: 'int?',
      max_uses: 'int?',
      leaked_at: 'text?',
    },
    references: { owner_id: 'users', project_id: 'projects' },
    added: ['limit_requests', 'limit_seconds', 'max_uses', 'leaked_at'],
  },
  token_groups: {
    key: ['token_id', 'group_id'],
    columns: { token_id: 'text', group_id: 'text' },
    references: { token_id: 'tokens', group_id: 'groups' },
  },
  token_servers: {
    key: ['token_id', 'server_id'],
    columns: { token_id: 'text', server_id: 'text' },
    references: { token_id: 'tokens', server_id: 'servers' },
  },
  token_uses: {
    key: ['token_id', 'generation'],
    columns: {
      token_id: 'text',
      generation: 'int',
      first_used_at: 'text',
      last_used_at: 'text',
      last_used_ip: 'text?',
      use_count: 'int',
    },
    references: { token_id: 'tokens' },
    addition: true,
  },
  // Counted uses of tokens that are gone stay known, in case a backup brings the token back.
  token_limits: {
    key: ['token_id'],
    columns: { token_id: 'text', window_start: 'int', window_count: 'int', uses: 'int' },
    references: {},
    addition: true,
  },
} as const satisfies Record<string, TableForm>

export type BackupTable = keyof typeof backupTables

/** In the order in which they are put in; the other way round they are emptied. */
export const backupTableNames = Object.keys(backupTables) as BackupTable[]

/** The form of a table, whichever it is. */
export function formOf(table: BackupTable): TableForm {
  return backupTables[table]
}

/** The columns of a table, in the order in which a backup holds them. */
export function columnsOf(table: BackupTable): string[] {
  return Object.keys(backupTables[table].columns)
}
