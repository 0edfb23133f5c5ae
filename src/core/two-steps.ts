import { z } from 'zod'
import type { AnyOperation } from './operation.ts'
import { exactObject, isoTime, named } from './views/named.ts'

/** What an operation in two steps takes beside its own input. */
export const steps = {
  dry_run: z.boolean().optional().describe('Change nothing; answer what would happen and its confirm.'),
  confirm: z.string().min(1).max(64).optional().describe('confirm of the dry run that the user agreed to.'),
}

export type Steps = { dry_run?: boolean | undefined; confirm?: string | undefined }

/** Servers, and tokens, that a preview names at most. */
export const mostNamed = 20

/** What a dry run answers. */
const previewView = z.object({
  summary: z.string().describe('Show this to the user.'),
  servers_lost: z.object({
    count: z.int(),
    servers: z.array(named).describe(`${mostNamed} of them at most.`),
  }),
  tokens_hit: z.object({
    count: z.int(),
    tokens: z.array(z.object({ id: z.string(), name: z.string().nullable() })),
  }),
  last_used_at: isoTime.nullable().describe('The latest use of one of the tokens.'),
  last_used_ip: z.string().nullable(),
  confirm: z.string().describe('Give this to do exactly what is shown; void once it is not true any more.'),
})

export type PreviewView = z.input<typeof previewView>

/** What stands in the place of the answer after a dry run. */
export const previewed = {
  preview: previewView.optional().describe('With dry_run, and then alone: what would happen.'),
}

/** As `previewed`, in the few words that a list of tools has room for. */
export const brieflyPreviewed = {
  preview: exactObject
    .optional()
    .describe('After dry_run, instead of the rest: summary, confirm, what is hit.'),
}

/** The operation as models get it: whatever destroys something takes two steps there. */
export function inTwoSteps(operation: AnyOperation): AnyOperation {
  const { effect, confirms, input, output, short } = operation
  if (effect !== 'destroy' || confirms === true) return operation
  const answer = (schema: z.ZodObject) => schema.partial().extend(brieflyPreviewed)
  return {
    ...operation,
    confirms: true,
    input: input.extend(steps),
    output: answer(output),
    ...(short && { short: answer(short) }),
  }
}
