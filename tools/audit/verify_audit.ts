import { z } from 'zod'
import * as audit from '../../db/audit.ts'
import { AppError } from '../../src/core/errors.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'

export const verify_audit = operation({
  name: 'verify_audit',
  title: 'Verify the audit trail',
  description:
    'Recomputes the hash chain of the trail from its first row and says which row is the first that was changed, removed or put in. Keep the head of the answer elsewhere and give it as expected_seq and expected_hmac next time: that also shows a cut tail. Read the rows with list_audit_events.',
  input: z.strictObject({
    expected_seq: z.int().min(0).optional().describe('seq of a head answered before.'),
    expected_hmac: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
      .optional()
      .describe('hmac of that head.'),
  }),
  output: z.object({
    ok: z.boolean(),
    rows: z.int().describe('How many rows fit the chain.'),
    head: z
      .object({ seq: z.int(), hmac: z.string() })
      .describe('The end of the chain; keep it outside of this store.'),
    first_bad_seq: z.int().nullable().describe('The first row that does not fit; null = all do.'),
  }),
  permission: 'audit:read',
  effect: 'read',
  faces: ['rest', 'cli'],
  async run(ctx, { expected_seq: seq, expected_hmac: hmac }) {
    refuseBound(ctx)
    if ((seq === undefined) !== (hmac === undefined)) {
      throw new AppError('invalid_input', 'Give expected_seq and expected_hmac together.', {
        field: seq === undefined ? 'expected_seq' : 'expected_hmac',
      })
    }
    const expected = seq === undefined || hmac === undefined ? undefined : { seq, hmac }
    const checked = await audit.verifyChain(ctx.db, ctx.keys.audit, expected)
    return { ok: checked.first_bad_seq === null, ...checked }
  },
})
