import type { ColumnType, Generated, Insertable, Selectable } from 'kysely'

/** ISO 8601 UTC with milliseconds: fixed width, so text order is time order on every database. */
type Time = string
/** 0 or 1; the databases have no boolean in common. */
type Bit = number
/** JSON as text, so that it reads back exactly as it was written. */
type Json = string
type Fixed<T> = ColumnType<T, T, never>

export interface TokenTable {
  id: Fixed<string>
  kind: Fixed<'access' | 'user_key' | 'management'>
  /** Management keys only. */
  role: 'admin' | 'operator' | 'reader' | 'validator' | null
  /** `env` marks the bootstrap key given by the environment, `bootstrap` the one the first start made. */
  source: 'operation' | 'bootstrap' | 'env'
  name: string | null
  description: string | null
  metadata: Json
  owner_id: string | null
  project_id: string | null
  all_servers: Bit
  allowed_ips: Json | null
  tool_rules: Json | null
  not_before: Time | null
  expires_at: Time | null
  enabled: Bit
  disabled_at: Time | null
  enabled_at: Time | null
  generation: number
  pepper_id: number
  secret_hash: Buffer
  prefix: string
  last4: string
  /** When the current secret was first used; null = never. */
  secret_used_at: Time | null
  previous_hash: Buffer | null
  previous_until: Time | null
  previous_used_at: Time | null
  last_used_at: Time | null
  last_used_ip: string | null
  use_count: Generated<number>
  /** So many requests in a window of so many seconds; both or neither. */
  limit_requests: number | null
  limit_seconds: number | null
  /** Uses at all. */
  max_uses: number | null
  /** When a leak of it was first reported. */
  leaked_at: Time | null
  rotated_at: Time | null
  revoked_at: Time | null
  created_at: Fixed<Time>
  created_by: Fixed<string | null>
  updated_at: Time
}

export interface GroupTable {
  id: Fixed<string>
  slug: Fixed<string>
  name: string
  description: string | null
  metadata: Json
  created_at: Fixed<Time>
  updated_at: Time
  deleted_at: Time | null
}

export interface ServerTable {
  id: Fixed<string>
  slug: Fixed<string>
  name: string | null
  description: string | null
  metadata: Json
  config_id: string | null
  command: string | null
  args: Json
  /** Sealed under the env key, the row's id as additional data. */
  env: Buffer | null
  url: string | null
  headers: Buffer | null
  tools: Json
  input_guardrails: Json
  output_guardrails: Json
  created_at: Fixed<Time>
  updated_at: Time
  deleted_at: Time | null
}

export interface ConfigTable {
  id: Fixed<string>
  name: string
  created_at: Fixed<Time>
  updated_at: Time
}

export interface ProjectTable {
  id: Fixed<string>
  name: string
  description: string | null
  config_id: string | null
  created_at: Fixed<Time>
  updated_at: Time
  deleted_at: Time | null
  /** What it asks of its tokens beyond the instance; null = nothing. */
  policy: Json | null
}

export interface EnvironmentTable {
  id: Fixed<string>
  project_id: Fixed<string>
  name: string
  description: string | null
  variables: Json
  is_default: Bit
  created_at: Fixed<Time>
  updated_at: Time
}

export interface UserTable {
  id: Fixed<string>
  email: string
  name: string | null
  password_hash: string | null
  enabled: Bit
  created_at: Fixed<Time>
  updated_at: Time
  deleted_at: Time | null
}

export interface AuditTable {
  seq: number
  at: Time
  actor_kind: string
  actor_id: string | null
  actor_name: string | null
  role: string | null
  via: string
  ip: string | null
  client_name: string | null
  client_version: string | null
  request_id: string
  action: string
  target_id: string | null
  outcome: 'ok' | 'denied'
  details: Json
  row_hmac: Buffer
}

export interface TokenUseTable {
  token_id: string
  generation: number
  first_used_at: Time
  last_used_at: Time
  last_used_ip: string | null
  use_count: number
}

export interface Schema {
  tokens: TokenTable
  groups: GroupTable
  servers: ServerTable
  configs: ConfigTable
  projects: ProjectTable
  environments: EnvironmentTable
  users: UserTable
  project_members: { project_id: string; user_id: string; created_at: Time }
  token_groups: { token_id: string; group_id: string }
  token_servers: { token_id: string; server_id: string }
  group_servers: { group_id: string; server_id: string }
  /** Uses that were counted against limits; no restore gives them back. `window_start` in ms. */
  token_limits: { token_id: string; window_start: number; window_count: number; uses: number }
  /** Uses of each secret of a token, by its generation. */
  token_uses: TokenUseTable
  audit: AuditTable
  audit_head: { id: number; seq: number; at: Time; row_hmac: Buffer; schema_version: number }
  /** Digests of secrets that were ended on purpose: no restore brings them back. */
  revocations: { token_hash: Buffer; token_id: string; at: Time }
  settings: { name: string; value: Json; updated_at: Time }
  meta: { name: string; value: string }
  links: {
    id: string
    code_hash: Buffer
    token_id: string
    sealed: Buffer | null
    created_at: Time
    expires_at: Time
    redeemed_at: Time | null
    /** Who asked, where the secret is shown after a sign-in alone; null = the code is enough. */
    asked_by: Json | null
  }
  idempotency: {
    key_hash: Buffer
    body_hash: Buffer
    target_id: string | null
    sealed: Buffer | null
    created_at: Time
  }
}

export type TokenUseRow = Selectable<TokenUseTable>
export type TokenRow = Selectable<TokenTable>
export type NewToken = Insertable<TokenTable>
export type GroupRow = Selectable<GroupTable>
export type ServerRow = Selectable<ServerTable>
export type ConfigRow = Selectable<ConfigTable>
export type ProjectRow = Selectable<ProjectTable>
export type EnvironmentRow = Selectable<EnvironmentTable>
export type UserRow = Selectable<UserTable>
export type AuditRow = Selectable<AuditTable>
