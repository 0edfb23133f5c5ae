import { create_config } from '../../tools/configs/create_config.ts'
import { set_environment } from '../../tools/projects/set_environment.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import type { Instance } from '../support/instance.ts'
import { makeToken, plantGroup, plantProject, plantServer, plantUser } from '../support/world.ts'

/** What a call of each tool is about. */
export type Plays = Record<string, Record<string, unknown>>

const policy = { enabled: true, policy_name: 'p', additional_config: { pii_redaction: true }, block: ['pii'] }
const runs = { command: 'npx', args: ['-y', 'some-server'], env: { MODE: 'x' } }

/**
 * Arguments with which every tool of every set succeeds once, in any order: what one call ends, no other needs. Every
 * parameter that takes an id is among them.
 */
export async function plantPlays(instance: Instance): Promise<Plays> {
  const project = () => plantProject(instance)
  const token = async (input: Parameters<typeof makeToken>[1] = {}) => (await makeToken(instance, input)).id
  const server = async () => (await plantServer(instance)).id
  const group = async (servers: string[] = []) => plantGroup(instance, servers)
  const home = await project()
  const { project_id, config_id, user_id } = home
  const configured = { config_id, server_id: home.server.id }
  const weather = await plantServer(instance)
  const shared = await group([weather.id])
  const access = { servers: [weather.id], groups: [shared], tool_rules: { allow: ['*/read*'] } }
  const main = await token({ access: { ...access, limits: { requests: 9, per_seconds: 60 } } })
  const keyed = await project()
  const { token: key } = await instance.call('operator', generate_user_key, {
    user_id: keyed.user_id,
    project_id: keyed.project_id,
  })
  const page = { limit: 1, include_total: true }
  const ended = await project()
  const left = await project()
  const emptied = await project()
  const stripped = await project()
  const spare = await project()
  const staging = { project_id: emptied.project_id, name: 'staging' }
  await instance.call('admin', set_environment, staging)
  const { config: unused } = await instance.call('admin', create_config, { name: 'unused' })
  return {
    create_token: {
      name: 'CI',
      description: 'two\nlines',
      metadata: { team: { name: 'x' } },
      access,
      allowed_ips: ['127.0.0.0/8'],
      owner_id: user_id,
      project_id,
      delivery: 'inline',
      idempotency_key: 'one-key-of-enough-length',
    },
    get_token: { token_id: main },
    list_magic_tokens: {
      ...page,
      group_id: shared,
      server_id: weather.id,
      status: ['active'],
      text: 'made',
    },
    update_token: { token_id: main, name: 'renamed', access, allowed_ips: null, expires_in_days: 3 },
    rotate_token: { token_id: await token(), grace_seconds: 60, delivery: 'link' },
    revoke_token: { token_id: await token() },
    set_token_enabled: { token_id: await token(), enabled: false },
    validate_token: { token_id: main, server: weather.slug, tool: 'read_all', ip: '127.0.0.1' },
    explain_access: { token_id: main, server: weather.id, tool: 'read_all', ip: '127.0.0.1' },
    add_groups: { token_id: main, group_ids: [await group()] },
    remove_groups: { token_id: await token({ access }), group_ids: [shared] },
    list_groups: page,
    create_group: { name: 'new', description: 'x', metadata: { a: [1] }, server_ids: [weather.id] },
    list_servers: { ...page, group_id: shared },
    list_audit_events: { target_id: main, action: 'create_token', outcome: 'ok', limit: 1 },
    report_leak: { token_id: await token(), action: 'rotate', where: 'a page', delivery: 'inline' },
    lint_tokens: { limit: 1, severity: 'medium', rule: 'all_servers' },
    simulate_change: { token_id: main, change: 'update', access: { servers: [] } },
    revoke_tokens: { text: 'swept', group_id: shared, owner_id: user_id, project_id, server_id: weather.id },
    rotate_due_tokens: { older_than_days: 1_000, delivery: 'link' },
    get_group: { group_id: shared },
    update_group: { group_id: await group(), name: 'renamed' },
    delete_group: { group_id: await group([weather.id]) },
    add_group_servers: { group_id: await group(), server_ids: [weather.id] },
    remove_group_servers: { group_id: await group([weather.id]), server_ids: [weather.id] },
    create_server: { name: 'Weather', description: 'x', metadata: { a: 1 } },
    get_server: { server_id: weather.id },
    update_server: { server_id: await server(), name: 'renamed' },
    set_server_upstream: { server_id: await server(), runs, tools: { read: {} }, input_guardrails: policy },
    delete_server: { server_id: await server() },
    create_project: { name: 'apollo', description: 'x', idempotency_key: 'two-key-of-enough-length' },
    get_project: { project_id },
    list_projects: { ...page, user_id },
    update_project: { project_id: spare.project_id, name: 'gemini' },
    delete_project: { project_id: ended.project_id },
    add_project_member: { project_id: spare.project_id, user_id: await plantUser(instance) },
    remove_project_member: { project_id: left.project_id, user_id: left.user_id },
    remove_project_members: { project_id: emptied.project_id },
    assign_config: { project_id: spare.project_id, config_id },
    unassign_config: { project_id: stripped.project_id },
    set_environment: { project_id: spare.project_id, name: 'production', variables: { A: 'b' } },
    delete_environment: staging,
    create_config: { name: 'tools', idempotency_key: 'six-key-of-enough-length' },
    get_config: { config_id },
    get_project_config: { project_id },
    list_configs: page,
    update_config: { config_id: spare.config_id, name: 'other tools' },
    copy_config: { config_id, name: 'copy' },
    delete_config: { config_id: unused.id },
    validate_config: { config_id },
    add_config_server: { config_id, name: 'git', runs, tools: { a: {} }, guardrails: { input: policy } },
    get_config_server: configured,
    update_config_server: { ...configured, runs, description: 'x' },
    set_server_guardrails: { ...configured, input: policy, output: policy },
    remove_config_server: { config_id: left.config_id, server_id: left.server.id },
    remove_config_servers: { config_id: emptied.config_id },
    create_user: { email: 'ada@example.com', name: 'Ada', idempotency_key: 'ten-key-of-enough-length' },
    get_user: { user_id },
    list_users: { ...page, project_id, enabled: true },
    update_user: { user_id: await plantUser(instance), name: 'Grace' },
    delete_user: { user_id: await plantUser(instance) },
    generate_user_key: { user_id, project_id, delivery: 'inline', name: 'key' },
    revoke_user_keys: { user_id: key.owner_id ?? '' },
    check_health: {},
  }
}
