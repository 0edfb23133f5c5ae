import { admittingRange } from './ip-range.ts'
import { decidingRule } from './tool-rules.ts'
import type { LimitState } from './use-limits.ts'
import { type Candidate, type Question, type Step, trace } from './verdict.ts'

interface Named {
  id: string
  slug: string
  name: string | null
}

/** By what a token reaches a server, or why it does not. */
export type Way =
  | { via: 'all_servers' | 'server' }
  | { via: 'group'; group: Named }
  | { cause: 'unknown' | 'deleted' | 'other_project' | 'not_named' }

/** What was judged, and what the sentences tell beside it. */
export interface Judged {
  candidate: Candidate
  question: Question
  way: Way | undefined
  /** Absent where the token has no limits. */
  limit: LimitState | undefined
  owner_id: string | null
  project_id: string | null
  disabled_at: string | null
}

/** A check with what it found, in one sentence that holds no text of others but slugs, addresses and times. */
export interface Told extends Step {
  detail: string
}

type Check = Step['check']
type Sentences = Record<Check, Record<Step['outcome'], (judged: Judged) => string>>

const always = (text: string) => () => text
const ranges = ({ candidate }: Judged) => candidate.allowed_ips?.join(', ') ?? ''
const never = always('')

const causes = {
  unknown: 'No server of this id, slug or name is in your reach.',
  deleted: 'The server is deleted.',
  other_project: "The server is not in the configuration of the token's project.",
  not_named: 'Neither the token nor a group of it names the server.',
}

const sentences: Sentences = {
  unknown: {
    passed: always('The token exists.'),
    failed: always('There is no such token.'),
    not_asked: never,
  },
  revoked: {
    passed: always('It is not revoked.'),
    failed: ({ candidate }) => `It was revoked at ${candidate.revoked_at}, for good.`,
    not_asked: never,
  },
  disabled: {
    passed: always('It is switched on.'),
    failed: ({ disabled_at }) =>
      `It is switched off${disabled_at === null ? '' : ` since ${disabled_at}`}; set_token_enabled switches it on.`,
    not_asked: never,
  },
  owner_inactive: {
    passed: ({ owner_id, project_id }) =>
      owner_id === null
        ? 'It has no owner.'
        : `Its owner is enabled${project_id === null ? '' : ' and a member of its project'}.`,
    failed: ({ project_id }) =>
      project_id === null ? 'Its owner is disabled.' : 'Its owner is disabled or no member of its project.',
    not_asked: never,
  },
  not_yet_valid: {
    passed: ({ candidate: { not_before } }) =>
      not_before === null ? 'It is valid from its creation.' : `It is valid since ${not_before}.`,
    failed: ({ candidate }) => `It is not valid before ${candidate.not_before}.`,
    not_asked: never,
  },
  expired: {
    passed: ({ candidate: { expires_at } }) =>
      expires_at === null ? 'It never expires.' : `It is valid until ${expires_at}.`,
    failed: ({ candidate }) => `It expired at ${candidate.expires_at}.`,
    not_asked: never,
  },
  ip_not_allowed: {
    passed: ({ candidate: { allowed_ips }, question: { ip = null } }) =>
      allowed_ips === null
        ? 'It may be used from any address.'
        : `${ip} lies in ${admittingRange(allowed_ips, ip)}.`,
    failed: (judged) => `${judged.question.ip} lies in none of ${ranges(judged)}.`,
    not_asked: (judged) =>
      judged.candidate.allowed_ips === null
        ? 'No address was given; it may be used from any.'
        : `No address was given; it may be used from ${ranges(judged)}.`,
  },
  server_not_in_scope: {
    passed: ({ way, project_id }) => {
      if (way === undefined || 'cause' in way) return 'The server is in its reach.'
      if (way.via === 'server') return 'The token names the server.'
      if (way.via === 'group') return `The server is in the group ${way.group.slug}, which the token has.`
      return project_id === null ? 'It reaches every server.' : 'It reaches every server of its project.'
    },
    failed: ({ way }) => (way !== undefined && 'cause' in way ? causes[way.cause] : causes.not_named),
    not_asked: never,
  },
  tool_not_in_scope: {
    passed: (judged) =>
      toolRule(judged) === null
        ? 'No rule of the token is about the tool.'
        : 'A pattern of allow names the tool.',
    failed: (judged) =>
      'deny' in (toolRule(judged) ?? {})
        ? 'A pattern of deny names the tool.'
        : 'No pattern of allow names the tool.',
    not_asked: ({ candidate: { tool_rules } }) =>
      `No tool was given; the token has ${tool_rules === null ? 'no rules' : 'rules'} about tools.`,
  },
  limit_reached: {
    passed: ({ limit }) => `It has ${limit?.remaining} of ${quota(limit)} left.`,
    failed: ({ limit }) => `All of ${quota(limit)} are used up${limit?.reset === null ? ', for good' : ''}.`,
    not_asked: always('It has no limits of its own.'),
  },
}

function quota(state: LimitState | undefined): string {
  const { limit, reset = null } = state ?? {}
  return reset === null ? `${limit} uses` : `${limit} requests in a window that ends in ${reset} s`
}

/** Every check of the verdict in its order, each with a sentence. */
export function tellTrace(judged: Judged): Told[] {
  return trace(judged.candidate, judged.question).map((step) => ({
    ...step,
    detail: sentences[step.check][step.outcome](judged),
  }))
}

/** The rule that refused, as data; `check` is the check that failed. */
export function refusingRule(check: Check, judged: Judged): Record<string, unknown> {
  const { candidate, way, limit, owner_id, disabled_at } = judged
  const { revoked_at, not_before, expires_at, allowed_ips } = candidate
  const rules: Record<Check, object> = {
    unknown: {},
    revoked: { revoked_at },
    disabled: { disabled_at },
    owner_inactive: { owner_id },
    not_yet_valid: { not_before },
    expired: { expires_at },
    ip_not_allowed: { allowed_ips },
    server_not_in_scope: way ?? {},
    tool_not_in_scope: toolRule(judged) ?? {},
    limit_reached: limit ?? {},
  }
  return { ...rules[check] }
}

/** What opened: the way to the server, the range of the address and the pattern that names the tool, where one was asked. */
export function openingRule(judged: Judged): Record<string, unknown> {
  const { candidate, question, way } = judged
  const { ip } = question
  const range = ip === undefined ? undefined : admittingRange(candidate.allowed_ips ?? [], ip)
  const rule = toolRule(judged)
  return {
    ...way,
    ...(range === undefined ? {} : { range }),
    ...(rule !== null && 'matched' in rule ? { matched: rule.matched } : {}),
  }
}

function toolRule({ candidate, question: { server, tool } }: Judged) {
  return tool === undefined ? null : decidingRule(candidate.tool_rules, server?.slug ?? null, tool)
}
