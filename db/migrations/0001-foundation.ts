import type { ColumnNames } from '../migrate.ts'

/** Everything the four dialects share: tokens and what they reach, people, projects, policy and the trail. */
export function foundation({ text, int, blob, strict }: ColumnNames): string[] {
  const named = `name ${text} not null, description ${text}`
  const times = `created_at ${text} not null, updated_at ${text} not null`
  const bit = (name: string, standard: 0 | 1) =>
    `${name} ${int} not null default ${standard} check (${name} in (0, 1))`
  const digest = (name: string) => `${name} ${blob} check (length(${name}) = 32)`
  return [
    `create table users (id ${text} primary key, email ${text} not null, name ${text}, password_hash ${text},
      ${bit('enabled', 1)}, ${times}, deleted_at ${text}) ${strict}`,
    `create unique index users_email on users (email) where deleted_at is null`,
    `create table configs (id ${text} primary key, name ${text} not null unique, ${times}) ${strict}`,
    `create table projects (id ${text} primary key, ${named}, config_id ${text} references configs (id),
      ${times}, deleted_at ${text}) ${strict}`,
    `create unique index projects_name on projects (name) where deleted_at is null`,
    `create table project_members (project_id ${text} not null references projects (id),
      user_id ${text} not null references users (id), created_at ${text} not null,
      primary key (project_id, user_id)) ${strict}`,
    `create index project_members_user on project_members (user_id)`,
    `create table environments (id ${text} primary key, project_id ${text} not null references projects (id),
      ${named}, variables ${text} not null, ${bit('is_default', 0)}, ${times}, unique (project_id, name)) ${strict}`,
    `create table servers (id ${text} primary key, slug ${text} not null unique, name ${text},
      description ${text}, metadata ${text} not null, config_id ${text} references configs (id), command ${text},
      args ${text} not null default '[]', env ${blob}, url ${text}, headers ${blob},
      tools ${text} not null default '{}', input_guardrails ${text} not null default '{}',
      output_guardrails ${text} not null default '{}', ${times}, deleted_at ${text}) ${strict}`,
    `create unique index servers_config_name on servers (config_id, name)
      where deleted_at is null and config_id is not null`,
    `create table groups (id ${text} primary key, slug ${text} not null unique, ${named},
      metadata ${text} not null, ${times}, deleted_at ${text}) ${strict}`,
    `create table group_servers (group_id ${text} not null references groups (id),
      server_id ${text} not null references servers (id), primary key (group_id, server_id)) ${strict}`,
    `create index group_servers_server on group_servers (server_id)`,
    `create table tokens (id ${text} primary key,
      kind ${text} not null check (kind in ('access', 'user_key', 'management')),
      role ${text} check (role in ('admin', 'operator', 'reader', 'validator')),
      source ${text} not null check (source in ('operation', 'bootstrap', 'env')),
      name ${text}, description ${text}, metadata ${text} not null,
      owner_id ${text} references users (id), project_id ${text} references projects (id),
      ${bit('all_servers', 0)}, allowed_ips ${text}, tool_rules ${text}, not_before ${text}, expires_at ${text},
      ${bit('enabled', 1)}, disabled_at ${text}, enabled_at ${text},
      generation ${int} not null, pepper_id ${int} not null, ${digest('secret_hash')} not null unique,
      prefix ${text} not null, last4 ${text} not null, secret_used_at ${text},
      ${digest('previous_hash')}, previous_until ${text}, previous_used_at ${text},
      last_used_at ${text}, last_used_ip ${text}, use_count ${int} not null default 0,
      rotated_at ${text}, revoked_at ${text}, created_at ${text} not null, created_by ${text},
      updated_at ${text} not null, check ((kind = 'management') = (role is not null))) ${strict}`,
    // Partial where most rows have nothing to find: each index is one more page in every commit.
    `create unique index tokens_previous on tokens (previous_hash) where previous_hash is not null`,
    `create index tokens_owner on tokens (owner_id, id) where owner_id is not null`,
    `create index tokens_project on tokens (project_id, id) where project_id is not null`,
    `create index tokens_expires on tokens (expires_at) where expires_at is not null`,
    `create index tokens_keys on tokens (id) where kind = 'management'`,
    `create table token_groups (token_id ${text} not null references tokens (id),
      group_id ${text} not null references groups (id), primary key (token_id, group_id)) ${strict}`,
    `create index token_groups_group on token_groups (group_id)`,
    `create table token_servers (token_id ${text} not null references tokens (id),
      server_id ${text} not null references servers (id), primary key (token_id, server_id)) ${strict}`,
    `create index token_servers_server on token_servers (server_id)`,
    `create table revocations (${digest('token_hash')} primary key, token_id ${text} not null,
      at ${text} not null) ${strict}`,
    `create table settings (name ${text} primary key, value ${text} not null, updated_at ${text} not null) ${strict}`,
    `create table meta (name ${text} primary key, value ${text} not null) ${strict}`,
    `create table links (id ${text} primary key, ${digest('code_hash')} not null unique,
      token_id ${text} not null references tokens (id), sealed ${blob}, created_at ${text} not null,
      expires_at ${text} not null, redeemed_at ${text}) ${strict}`,
    `create index links_token on links (token_id)`,
    `create table idempotency (${digest('key_hash')} primary key, ${digest('body_hash')} not null,
      target_id ${text}, sealed ${blob}, created_at ${text} not null) ${strict}`,
    `create index idempotency_created on idempotency (created_at)`,
    `create table audit (seq ${int} primary key, at ${text} not null, actor_kind ${text} not null,
      actor_id ${text}, actor_name ${text}, role ${text}, via ${text} not null, ip ${text},
      client_name ${text}, client_version ${text}, request_id ${text} not null, action ${text} not null,
      target_id ${text}, outcome ${text} not null, details ${text} not null,
      ${digest('row_hmac')} not null) ${strict}`,
    `create index audit_target on audit (target_id, seq)`,
    `create index audit_actor on audit (actor_id, seq)`,
    `create table audit_head (id ${int} primary key check (id = 1), seq ${int} not null, at ${text} not null,
      ${digest('row_hmac')} not null, schema_version ${int} not null) ${strict}`,
  ]
}

/** Rows of the trail are neither changed nor removed by anybody (security R40). */
export const appendOnly = {
  sqlite: [
    `create trigger audit_no_update before update on audit begin select raise(abort, 'audit is append-only'); end`,
    `create trigger audit_no_delete before delete on audit begin select raise(abort, 'audit is append-only'); end`,
    // "insert or replace" deletes without the trigger above.
    `create trigger audit_no_replace before insert on audit when exists (select 1 from audit where seq = new.seq)
      begin select raise(abort, 'audit is append-only'); end`,
    `insert into audit_head values (1, 0, '1970-01-01T00:00:00.000Z', zeroblob(32), 0)`,
  ],
  postgres: [
    `create function audit_refuse() returns trigger language plpgsql as
      $$ begin raise exception 'audit is append-only'; end $$`,
    `create trigger audit_append_only before update or delete or truncate on audit
      for each statement execute function audit_refuse()`,
    `insert into audit_head values (1, 0, '1970-01-01T00:00:00.000Z', decode(repeat('00', 32), 'hex'), 0)`,
  ],
}
