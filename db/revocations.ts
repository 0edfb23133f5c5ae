import type { Db } from './open.ts'

/** Which of these digests were ended on purpose, as hex (security R57). */
export async function among(db: Db, digests: readonly Buffer[]): Promise<Set<string>> {
  if (digests.length === 0) return new Set()
  const rows = await db
    .selectFrom('revocations')
    .select('token_hash')
    .where('token_hash', 'in', digests)
    .execute()
  return new Set(rows.map((row) => row.token_hash.toString('hex')))
}
