import type { ColumnNames } from '../migrate.ts'

/** The policy of a project, leaks of a token that were reported, and names that several live tokens have. */
export function policies({ text }: ColumnNames): string[] {
  return [
    `alter table projects add column policy ${text}`,
    `alter table tokens add column leaked_at ${text}`,
    `create index tokens_name on tokens (name) where revoked_at is null and name is not null`,
  ]
}
