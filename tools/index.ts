import type { AnyOperation } from '../src/core/operation.ts'
import { lint_tokens } from './access/lint_tokens.ts'
import { simulate_change } from './access/simulate_change.ts'
import { list_audit_events } from './audit/list_audit_events.ts'
import { verify_audit } from './audit/verify_audit.ts'
import { revoke_tokens } from './bulk/revoke_tokens.ts'
import { rotate_due_tokens } from './bulk/rotate_due_tokens.ts'
import { add_config_server } from './configs/add_config_server.ts'
import { copy_config } from './configs/copy_config.ts'
import { create_config } from './configs/create_config.ts'
import { delete_config } from './configs/delete_config.ts'
import { export_config } from './configs/export_config.ts'
import { get_config } from './configs/get_config.ts'
import { get_config_server } from './configs/get_config_server.ts'
import { get_project_config } from './configs/get_project_config.ts'
import { import_config } from './configs/import_config.ts'
import { list_configs } from './configs/list_configs.ts'
import { remove_config_server } from './configs/remove_config_server.ts'
import { remove_config_servers } from './configs/remove_config_servers.ts'
import { set_server_guardrails } from './configs/set_server_guardrails.ts'
import { update_config } from './configs/update_config.ts'
import { update_config_server } from './configs/update_config_server.ts'
import { validate_config } from './configs/validate_config.ts'
import { add_group_servers } from './groups/add_group_servers.ts'
import { create_group } from './groups/create_group.ts'
import { delete_group } from './groups/delete_group.ts'
import { get_group } from './groups/get_group.ts'
import { list_groups } from './groups/list_groups.ts'
import { remove_group_servers } from './groups/remove_group_servers.ts'
import { update_group } from './groups/update_group.ts'
import { check_secrets } from './leaks/check_secrets.ts'
import { report_leak } from './leaks/report_leak.ts'
import { add_project_member } from './projects/add_project_member.ts'
import { assign_config } from './projects/assign_config.ts'
import { create_project } from './projects/create_project.ts'
import { delete_environment } from './projects/delete_environment.ts'
import { delete_project } from './projects/delete_project.ts'
import { export_project } from './projects/export_project.ts'
import { get_project } from './projects/get_project.ts'
import { list_projects } from './projects/list_projects.ts'
import { remove_project_member } from './projects/remove_project_member.ts'
import { remove_project_members } from './projects/remove_project_members.ts'
import { set_environment } from './projects/set_environment.ts'
import { unassign_config } from './projects/unassign_config.ts'
import { update_project } from './projects/update_project.ts'
import { create_server } from './servers/create_server.ts'
import { delete_server } from './servers/delete_server.ts'
import { get_server } from './servers/get_server.ts'
import { list_servers } from './servers/list_servers.ts'
import { set_server_upstream } from './servers/set_server_upstream.ts'
import { update_server } from './servers/update_server.ts'
import { check_health } from './system/check_health.ts'
import { create_backup } from './system/create_backup.ts'
import { create_management_key } from './system/create_management_key.ts'
import { get_settings } from './system/get_settings.ts'
import { list_management_keys } from './system/list_management_keys.ts'
import { redeem_link } from './system/redeem_link.ts'
import { reset_system } from './system/reset_system.ts'
import { restore_backup } from './system/restore_backup.ts'
import { revoke_management_key } from './system/revoke_management_key.ts'
import { update_settings } from './system/update_settings.ts'
import { add_groups } from './tokens/add_groups.ts'
import { create_token } from './tokens/create_token.ts'
import { describe_credential } from './tokens/describe_credential.ts'
import { explain_access } from './tokens/explain_access.ts'
import { generate_mcp_token } from './tokens/generate_mcp_token.ts'
import { get_token } from './tokens/get_token.ts'
import { introspect_token } from './tokens/introspect_token.ts'
import { list_magic_tokens } from './tokens/list_magic_tokens.ts'
import { remove_groups } from './tokens/remove_groups.ts'
import { revoke_mcp_token } from './tokens/revoke_mcp_token.ts'
import { revoke_secret } from './tokens/revoke_secret.ts'
import { revoke_token } from './tokens/revoke_token.ts'
import { rotate_token } from './tokens/rotate_token.ts'
import { set_token_enabled } from './tokens/set_token_enabled.ts'
import { update_token } from './tokens/update_token.ts'
import { validate_token } from './tokens/validate_token.ts'
import { create_user } from './users/create_user.ts'
import { delete_user } from './users/delete_user.ts'
import { generate_user_key } from './users/generate_user_key.ts'
import { get_user } from './users/get_user.ts'
import { list_users } from './users/list_users.ts'
import { reset_password } from './users/reset_password.ts'
import { revoke_user_keys } from './users/revoke_user_keys.ts'
import { update_user } from './users/update_user.ts'

const tokens = {
  create_token,
  get_token,
  list_magic_tokens,
  update_token,
  rotate_token,
  revoke_token,
  set_token_enabled,
  validate_token,
  explain_access,
  add_groups,
  remove_groups,
  list_groups,
  create_group,
  list_servers,
  list_audit_events,
}

const access = {
  lint_tokens,
  simulate_change,
}

const leaks = { report_leak, check_secrets }

const bulk = {
  revoke_tokens,
  rotate_due_tokens,
}

const groups = {
  get_group,
  update_group,
  delete_group,
  add_group_servers,
  remove_group_servers,
}

const servers = {
  create_server,
  get_server,
  update_server,
  set_server_upstream,
  delete_server,
}

const projects = {
  create_project,
  get_project,
  list_projects,
  update_project,
  delete_project,
  add_project_member,
  remove_project_member,
  remove_project_members,
  assign_config,
  unassign_config,
  export_project,
  set_environment,
  delete_environment,
}

const configs = {
  create_config,
  get_config,
  get_project_config,
  list_configs,
  update_config,
  copy_config,
  delete_config,
  validate_config,
  export_config,
  import_config,
  add_config_server,
  get_config_server,
  update_config_server,
  set_server_guardrails,
  remove_config_server,
  remove_config_servers,
}

const users = {
  create_user,
  get_user,
  list_users,
  update_user,
  reset_password,
  delete_user,
  generate_user_key,
  revoke_user_keys,
}

const system = {
  redeem_link,
  get_settings,
  update_settings,
  create_management_key,
  list_management_keys,
  revoke_management_key,
  verify_audit,
  check_health,
  create_backup,
  restore_backup,
  reset_system,
  generate_mcp_token,
  revoke_mcp_token,
  describe_credential,
  introspect_token,
  revoke_secret,
}

/** Every operation by its name, with its own types: what the tables of the dialects point at. */
export const tools = {
  ...tokens,
  ...access,
  ...bulk,
  ...leaks,
  ...groups,
  ...servers,
  ...projects,
  ...configs,
  ...users,
  ...system,
}

interface Toolset {
  about: string
  /** Offered to MCP clients without being asked for. */
  default: boolean
  operations: readonly AnyOperation[]
}

/** Every operation of the product; a face offers all of them or the sets it was started with. */
export const toolsets: Record<string, Toolset> = {
  tokens: {
    about: 'Tokens, the groups they are in, the servers they open, and the trail of what was done.',
    default: true,
    operations: Object.values(tokens),
  },
  access: {
    about: 'What a change would do to access before it is made, and what is wrong with tokens as they are.',
    default: false,
    operations: Object.values(access),
  },
  leaks: {
    about: 'Secrets that were seen where they should not be: whose they are, and an end to them at once.',
    default: false,
    operations: Object.values(leaks),
  },
  bulk: {
    about: 'Many tokens at once: revoke those a filter finds, give new secrets to those with old ones.',
    default: false,
    operations: Object.values(bulk),
  },
  groups: {
    about: 'Groups of MCP servers: look at one, change it, delete it, and choose the servers in it.',
    default: false,
    operations: Object.values(groups),
  },
  servers: {
    about:
      'MCP servers that tokens open: register them, say what they run or call, describe and delete them.',
    default: false,
    operations: Object.values(servers),
  },
  projects: {
    about:
      'Projects: their members, their environments with variables, and an end that revokes their tokens.',
    default: false,
    operations: Object.values(projects),
  },
  configs: {
    about:
      'Configurations: named lists of MCP servers, what those run or call, their guardrails, and who may use which.',
    default: false,
    operations: Object.values(configs),
  },
  users: {
    about: 'People who own tokens: create, change, switch off and delete them.',
    default: false,
    operations: Object.values(users),
  },
  system: {
    about:
      'The instance itself: a health check; kept from models are its keys, settings, links, backups and the proof of the trail.',
    default: false,
    operations: Object.values(system),
  },
}

/** All operations, once each, in the order of the sets. */
export const operations: readonly AnyOperation[] = Object.values(toolsets).flatMap((set) => set.operations)
