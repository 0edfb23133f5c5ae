import type { ColumnNames } from '../migrate.ts'

/** Limits of a token, what is counted against them, and the uses of each of its secrets. */
export function limits({ text, int, strict }: ColumnNames): string[] {
  const bound = (name: string) => `alter table tokens add column ${name} ${int} check (${name} > 0)`
  return [
    bound('limit_requests'),
    `${bound('limit_seconds')} check ((limit_seconds is null) = (limit_requests is null))`,
    bound('max_uses'),
    // Names no row of tokens: as with revocations, no restore gives uses back, whatever it leaves out in between.
    `create table token_limits (token_id ${text} primary key, window_start ${int} not null,
      window_count ${int} not null, uses ${int} not null) ${strict}`,
    `create table token_uses (token_id ${text} not null references tokens (id), generation ${int} not null,
      first_used_at ${text} not null, last_used_at ${text} not null, last_used_ip ${text},
      use_count ${int} not null, primary key (token_id, generation)) ${strict}`,
  ]
}
