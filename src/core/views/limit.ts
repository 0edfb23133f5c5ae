import { z } from 'zod'

/** Where a token stands against its limits. */
export const limitView = z
  .object({
    limit: z.int(),
    remaining: z.int(),
    reset: z.int().nullable().describe('Seconds until the window ends; null = never.'),
    retry_after: z.int().nullable().describe('Refused: seconds to wait; null = in vain.'),
  })
  .describe('Where a token with limits stands after this use.')
