import { z } from 'zod'
import { shared } from '../../core/fields.ts'

const time = z.string().describe('ISO 8601, UTC, milliseconds and Z.')

/** A guardrail policy as it is kept. */
export const policy = z.object({
  enabled: z.boolean(),
  policy_name: z.string(),
  additional_config: z.unknown().meta({ type: 'object' }),
  block: z.array(z.string()),
})

shared.add(policy, { id: 'EnkryptPolicy' })

const names = z.record(z.string(), z.string())

/** A server of a configuration (docs/contracts/enkrypt.md, section 3). */
export const server = z.object({
  server_id: z.string(),
  server_slug: z.string(),
  server_name: z.string(),
  description: z.string(),
  config: z.object({
    command: z.string(),
    args: z.array(z.string()),
    env: names.describe('Each value reads ***.'),
    env_fingerprints: names,
  }),
  tools: z.unknown().meta({ type: 'object' }),
  input_guardrails_policy: policy,
  output_guardrails_policy: policy,
  created_at: time,
  updated_at: time,
})

shared.add(server, { id: 'EnkryptServer' })

/** A configuration with its servers. */
export const config = z.object({
  mcp_config_id: z.string(),
  mcp_config_name: z.string(),
  mcp_config: z.array(server),
  created_at: time,
  updated_at: time,
})

shared.add(config, { id: 'EnkryptConfig' })

interface Policy {
  enabled: boolean
  policy_name: string
  additional_config: unknown
  block: string[]
}

interface ServerFacts {
  id: string
  slug: string
  name: string
  description: string
  command: string | null
  args: string[]
  env: Record<string, string>
  env_fingerprints: Record<string, string>
  tools: unknown
  input_guardrails: Policy
  output_guardrails: Policy
  created_at: string
  updated_at: string
}

export function serverOf(view: ServerFacts): z.input<typeof server> {
  const { args, env, env_fingerprints } = view
  return {
    server_id: view.id,
    server_slug: view.slug,
    server_name: view.name,
    description: view.description,
    config: { command: view.command ?? '', args, env, env_fingerprints },
    tools: view.tools,
    input_guardrails_policy: view.input_guardrails,
    output_guardrails_policy: view.output_guardrails,
    created_at: view.created_at,
    updated_at: view.updated_at,
  }
}

export function configOf(view: {
  id: string
  name: string
  servers: ServerFacts[]
  created_at: string
  updated_at: string
}): z.input<typeof config> {
  return {
    mcp_config_id: view.id,
    mcp_config_name: view.name,
    mcp_config: view.servers.map(serverOf),
    created_at: view.created_at,
    updated_at: view.updated_at,
  }
}

/** The configuration under both of its names (row 2). */
export const newConfig = z.object({
  config_id: z.string(),
  config_name: z.string(),
  mcp_config_id: z.string(),
  mcp_config_name: z.string(),
})

shared.add(newConfig, { id: 'EnkryptNewConfig' })

export function newConfigOf({ id, name }: { id: string; name: string }): z.input<typeof newConfig> {
  return { config_id: id, config_name: name, mcp_config_id: id, mcp_config_name: name }
}

/** A user key as lists show it; with its secret only where one was just made. */
export const key = z.object({
  api_key: z.string(),
  api_key_id: z.string(),
  prefix: z.string(),
  project_id: z.string().nullable(),
  project_name: z.string().nullable(),
  created_at: time,
  disabled: z.boolean(),
  last_used_at: time.nullable(),
})

shared.add(key, { id: 'EnkryptKey' })

/** The same with its owner, in lists of all users. */
export const ownedKey = key.extend({ user_id: z.string().nullable(), user_email: z.string().nullable() })

shared.add(ownedKey, { id: 'EnkryptOwnedKey' })

interface KeyFacts {
  id: string
  prefix: string
  project_id: string | null
  project_name: string | null
  created_at: string
  enabled: boolean
  last_used_at: string | null
}

export function keyOf(view: KeyFacts, secret?: string): z.input<typeof key> {
  return {
    api_key: secret ?? `${view.prefix}...`,
    api_key_id: view.id,
    prefix: view.prefix,
    project_id: view.project_id,
    project_name: view.project_name,
    created_at: view.created_at,
    disabled: !view.enabled,
    last_used_at: view.last_used_at,
  }
}

export function ownedKeyOf(
  view: KeyFacts & { owner_id: string | null; owner_email: string | null },
): z.input<typeof ownedKey> {
  return { ...keyOf(view), user_id: view.owner_id, user_email: view.owner_email }
}

/** A project with its counts (row 19). */
export const project = z.object({
  project_id: z.string(),
  project_name: z.string(),
  mcp_config: z.object({ mcp_config_id: z.string(), mcp_config_name: z.string() }).nullable(),
  users: z.int(),
  api_keys: z.int(),
  created_at: time,
})

shared.add(project, { id: 'EnkryptProject' })

interface ProjectFacts {
  id: string
  name: string
  config: { id: string; name: string } | null
  user_key_count: number
  created_at: string
}

export function projectOf(view: ProjectFacts, users: number): z.input<typeof project> {
  const { config } = view
  return {
    project_id: view.id,
    project_name: view.name,
    mcp_config: config === null ? null : { mcp_config_id: config.id, mcp_config_name: config.name },
    users,
    api_keys: view.user_key_count,
    created_at: view.created_at,
  }
}

export const named = z.object({ project_id: z.string(), project_name: z.string() })

shared.add(named, { id: 'EnkryptNamedProject' })

export function namedOf({ id, name }: { id: string; name: string }) {
  return { project_id: id, project_name: name }
}

/** A user with its projects (row 32). */
export const user = z.object({
  user_id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  created_at: time,
  projects: z.array(named),
  api_keys: z.int(),
})

shared.add(user, { id: 'EnkryptUser' })

interface UserFacts {
  id: string
  email: string
  name: string | null
  created_at: string
  projects: { id: string; name: string }[]
  user_key_count: number
}

export function userOf(view: UserFacts): z.input<typeof user> {
  const { id, email, name, created_at, projects, user_key_count } = view
  return { user_id: id, email, name, created_at, projects: projects.map(namedOf), api_keys: user_key_count }
}
