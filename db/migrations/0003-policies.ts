import type { ColumnNames } from '../migrate.ts'

/**
 * The policy of a project, leaks of a token that were reported, names that several live tokens have, what models did, and who asked
 * for a secret that waits behind a sign-in.
 */
export function policies({ text }: ColumnNames): string[] {
  return [
    `alter table projects add column policy ${text}`,
    `alter table tokens add column leaked_at ${text}`,
    `alter table links add column asked_by ${text}`,
    `create index tokens_name on tokens (name) where revoked_at is null and name is not null`,
    // What models did lately is counted before they destroy more; partial, because other faces write most rows.
    `create index audit_models on audit (actor_id, at) where via in ('mcp', 'stdio')`,
  ]
}
