import { z } from 'zod'
import { textProblem } from './text.ts'
import { spellingsOf } from './uri-spellings.ts'

const pattern = z
  .string()
  .min(1)
  .max(200)
  .refine(
    (text) => textProblem(text, 'line') === undefined,
    'holds characters that are not allowed in a pattern',
  )

/**
 * Which tools a token may call, as patterns on `server/tool`; `*` stands for any run of characters, none
 * included, and a pattern without `/` means the tool of that name on any server. An empty `allow` is refused,
 * because nobody could tell whether it means all tools or none.
 */
export const toolRulesSchema = z.strictObject({
  allow: z
    .array(pattern)
    .min(1, 'leave allow out to allow every tool')
    .max(100)
    .optional()
    .describe('Only what matches is open.'),
  deny: z.array(pattern).max(100).optional().describe('What matches is closed.'),
})

export type ToolRules = z.infer<typeof toolRulesSchema>

/** The rule that decides about a call: the `deny` that wins, or the whole `allow` and the pattern of it that names the tool. */
export type ToolRule = { deny: string } | { allow: readonly string[]; matched: string | null }

/**
 * Finds the rule that decides: `deny` wins, and once there is an `allow` what it does not name is refused. Where nobody
 * said which server is meant (null), a `deny` for any server counts. Null = no rule says anything, so the call passes.
 * A URI is refused if `deny` names it in any spelling, and allowed if `allow` names it as it is and as it is resolved.
 */
export function decidingRule(rules: ToolRules | null, server: string | null, tool: string): ToolRule | null {
  if (rules === null) return null
  const { all, resolved } = spellingsOf(tool)
  const deny = rules.deny?.find((pattern) => all.some((spelling) => ruleMatches(pattern, server, spelling)))
  if (deny !== undefined) return { deny }
  const { allow } = rules
  if (allow === undefined) return null
  const allowing = (name: string) => allow.find((pattern) => ruleMatches(pattern, server ?? '', name))
  return { allow, matched: resolved.some((name) => allowing(name)) ? (allowing(tool) ?? null) : null }
}

/** Whether the rules let a call through, as `decidingRule` finds. */
export function toolAllowed(rules: ToolRules | null, server: string | null, tool: string): boolean {
  const rule = decidingRule(rules, server, tool)
  return rule === null || ('matched' in rule && rule.matched !== null)
}

/** The tools a server entry lets through, of its `tools` as JSON; null = every one (enkrypt:servers:tools:allow-list). */
export function listedTools(tools: string): ReadonlySet<string> | null {
  const names = Object.keys(JSON.parse(tools) as object)
  return names.length === 0 ? null : new Set(names)
}

/** Whether `inner` surely allows nothing that `outer` refuses: patterns are compared as texts, so it may say no too often. */
export function rulesWithin(inner: ToolRules | null, outer: ToolRules | null): boolean {
  if (outer === null) return true
  if (inner === null) return false
  const denies = outer.deny?.every((pattern) => inner.deny?.includes(pattern)) ?? true
  if (outer.allow === undefined) return denies
  return denies && inner.allow?.every((pattern) => outer.allow?.includes(pattern)) === true
}

// Server and tool are matched apart: `*` cannot cross from one to the other, and a tool `a/b` escapes no `deny`.
function ruleMatches(pattern: string, server: string | null, tool: string): boolean {
  const slash = pattern.indexOf('/')
  if (slash === -1) return globMatches(pattern, tool)
  const there = server === null || globMatches(pattern.slice(0, slash), server)
  return there && globMatches(pattern.slice(slash + 1), tool)
}

// Taking the leftmost place of each piece is always right, so nothing is ever tried twice.
function globMatches(glob: string, text: string): boolean {
  const [first = '', ...pieces] = glob.split('*')
  const last = pieces.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  const end = text.length - last.length
  for (const piece of pieces) {
    const at = text.indexOf(piece, from)
    if (at === -1) return false
    from = at + piece.length
  }
  return from <= end
}
