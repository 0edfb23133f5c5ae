import { z } from 'zod'
import { guardrailPolicy } from '../domain/guardrail-policy.ts'
import { headerProblem, mask, variableProblem } from '../domain/server-values.ts'
import { textProblem } from '../domain/text.ts'
import { clean } from './fields.ts'

/** A value as it is set; the mask that answers show in its place never becomes one (enkrypt:configs:get:env-mask-refused). */
export const value = z
  .string()
  .max(16_384)
  .refine((text) => text !== mask, `must be the value itself; ${mask} only stands for one in answers`)

/** What a header may hold (RFC 9110, 5.5). */
export const headerValue = value.regex(
  /^[\t\x20-\x7e\x80-\xff]*$/,
  'holds characters that no header may hold',
)

/** Names and values, each name judged by `problem`. */
export function named<Value extends z.ZodType>(value: Value, problem: (name: string) => string | undefined) {
  return z.record(z.string(), value).superRefine((values, issues) => {
    const names = Object.keys(values)
    if (names.length > 100) issues.addIssue({ code: 'custom', message: 'may hold 100 names at most' })
    for (const name of names) {
      const wrong = problem(name)
      if (wrong !== undefined) issues.addIssue({ code: 'custom', path: [name], message: wrong })
    }
  })
}

/** Variables of a program. */
export const env = named(value, variableProblem)

export const command = clean('line')
  .max(1_000)
  .refine((text) => text.trim() !== '', 'must not be empty')

export const args = z.array(clean('block').max(8_000)).max(256)

export const url = z
  .url({ protocol: /^https?$/, error: 'must be an address that begins with https:// or http://' })
  .max(2_000)
  .refine((text) => textProblem(text, 'line') === undefined, 'holds characters that are not allowed in a URL')
  .refine((text) => !/^https?:[/\\]*[^/\\?#]*@/i.test(text), 'must not hold a user or a password')

/** Refuses what belongs to a program together with what belongs to an address. */
export function oneKind(asked: {
  command?: unknown
  args?: unknown
  env?: unknown
  url?: unknown
  headers?: unknown
}) {
  const program = asked.command ?? asked.args ?? asked.env
  return program === undefined || (asked.url ?? asked.headers) === undefined
}

const kinds = 'give {command, args, env} of a program or {url, headers} of an address, not both'

/** Any part of what a server runs or calls. */
export const runsPart = z
  .strictObject({
    command: command.optional().describe('Program to start; it gets args as they are, without a shell.'),
    args: args.optional().describe('Arguments of the program, one text each.'),
    env: env
      .optional()
      .describe('Variables of the program. Secrets among the values pass through this conversation.'),
    url: url.optional().describe('Address of a remote server (http or https), instead of a program.'),
    headers: named(headerValue, headerProblem)
      .superRefine((headers, issues) => {
        const names = Object.keys(headers).map((name) => name.toLowerCase())
        if (new Set(names).size < names.length)
          issues.addIssue({ code: 'custom', message: 'may name each header once, whatever its letter case' })
      })
      .optional()
      .describe('Headers sent to the address; secrets as in env.'),
  })
  .refine(oneKind, kinds)

/** What a new server runs or calls. */
export const runs = runsPart.refine(
  ({ command, url }) => command !== undefined || url !== undefined,
  'give command or url',
)

export const tools = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 65_536, 'must be at most 65,536 characters as JSON')

/** The policies of both sides; one that is absent is off, or stays as it is. */
export const guardrails = z.strictObject({
  input: guardrailPolicy.optional().describe('Checks of what is sent to the server.'),
  output: guardrailPolicy.optional().describe('Checks of what it answers.'),
})
