import * as reach from '../../db/reach.ts'
import type { ServerRow, TokenRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import {
  type Judged,
  openingRule,
  refusingRule,
  type Told,
  tellTrace,
  type Way,
} from '../domain/explanation.ts'
import type { GuardrailPolicy } from '../domain/guardrail-policy.ts'
import { reasonOf, type Verdict } from '../domain/verdict.ts'
import type { Context } from './context.ts'
import { type Entry, openEntry } from './entries.ts'
import { single } from './found.ts'
import type { Verified } from './verify.ts'

/** A step of an explanation: a check of the verdict, or a layer that the gateway adds. */
export type ExplainedStep = Omit<Told, 'check'> & { check: string }

/** The server that is meant: by id, else by slug, else by a name that no two have; deleted ones by id alone. */
export async function serverMeant({ db, scope }: Context, text: string): Promise<ServerRow | undefined> {
  const found = (await servers.find(db, scope, text)) ?? (await servers.findSlug(db, scope, text))
  if (found !== undefined) return found
  const named = await servers.findNamed(db, scope, text)
  const next = 'list_servers shows the ids.'
  return named.length === 0 ? undefined : single(named, { entity: 'server', id: text, next })
}

/** What was judged, with what its sentences need; undefined if the token is gone. */
export async function judgedOf(
  ctx: Context,
  token: TokenRow,
  server: ServerRow | undefined,
  { candidate, question, limit }: Verified,
): Promise<Judged | undefined> {
  if (candidate === undefined) return undefined
  const { owner_id, project_id, disabled_at } = token
  const way = await wayTo(ctx, token, server, question.server?.reached === true)
  return { candidate, question, way, limit, owner_id, project_id, disabled_at }
}

async function wayTo(
  { db }: Context,
  token: TokenRow,
  server: ServerRow | undefined,
  reached: boolean,
): Promise<Way | undefined> {
  if (server === undefined) return { cause: 'unknown' }
  if (server.deleted_at !== null) return { cause: 'deleted' }
  const { named, groups } = await reach.waysTo(db, token.id, server.id)
  const [group] = groups
  const way: Way | undefined =
    token.all_servers === 1
      ? { via: 'all_servers' }
      : named
        ? { via: 'server' }
        : group && { via: 'group', group }
  return reached ? way : { cause: way === undefined ? 'not_named' : 'other_project' }
}

/** The layers of the gateway behind the verdict; only the first of them refuses a token. */
export function gatewaySteps(
  { keys }: Pick<Context, 'keys'>,
  server: ServerRow | undefined,
  tool: string | undefined,
): ExplainedStep[] {
  if (server === undefined || server.deleted_at !== null) return []
  const entry = openEntry(server, keys)
  return [toolListed(entry, tool), serverRuns(entry, server), guardrails(entry)]
}

function toolListed({ tools }: Entry, tool: string | undefined): ExplainedStep {
  const check = 'tool_listed'
  if (tools === null) {
    const outcome = tool === undefined ? 'not_asked' : 'passed'
    return { check, outcome, detail: 'The server entry lets every tool through.' }
  }
  const some = `The server entry lets ${tools.size === 1 ? 'one tool' : `${tools.size} tools`} through`
  if (tool === undefined) return { check, outcome: 'not_asked', detail: `${some}; no tool was given.` }
  return tools.has(tool)
    ? { check, outcome: 'passed', detail: `${some}, and this is one of them.` }
    : { check, outcome: 'failed', detail: `${some}, and this is none of them.` }
}

function serverRuns({ runs }: Entry, { command, url }: ServerRow): ExplainedStep {
  const check = 'server_runs'
  if (runs?.kind === 'program')
    return {
      check,
      outcome: 'passed',
      detail: 'The gateway starts a program, if it runs with --allow-commands.',
    }
  if (runs?.kind === 'address') return { check, outcome: 'passed', detail: 'The gateway calls an address.' }
  const detail =
    (command ?? url) === null
      ? 'The gateway cannot open it: nobody said what it runs or calls; set_server_upstream does.'
      : 'The gateway cannot open it: its values were moved or changed in the store; set_server_upstream sets them again.'
  return { check, outcome: 'failed', detail }
}

function guardrails({ input, output }: Entry): ExplainedStep {
  const detail = `What is sent ${checked(input)}; what it answers ${checked(output)}. Each call is judged by itself.`
  return { check: 'guardrails', outcome: 'not_asked', detail }
}

function checked({ enabled, block, additional_config }: GuardrailPolicy): string {
  if (!enabled) return 'is not checked'
  const redacts = additional_config['pii_redaction'] === true ? ['has personal data redacted'] : []
  const blocks = block.length === 0 ? [] : [`is blocked for ${block.join(', ')}`]
  return [...blocks, ...redacts].join(' and ') || 'is checked for nothing'
}

/** The decision as the verifier made it, the gateway's own list behind it, and the rule that was decisive. */
export function decisionOf(
  verdict: Verdict,
  judged: Judged,
  server: ServerRow | undefined,
  layers: readonly ExplainedStep[],
) {
  const steps: ExplainedStep[] = tellTrace(judged)
  const told = (check: string) => [...steps, ...layers].find((step) => step.check === check)
  const trace = [...steps, ...layers]
  if (verdict !== 'valid') {
    const reason = `${reasonOf(verdict)} ${told(verdict)?.detail ?? ''}`.trim()
    return {
      allowed: false,
      reason,
      decided_by: { check: verdict, rule: refusingRule(verdict, judged) },
      trace,
    }
  }
  const listed = told('tool_listed')
  if (listed?.outcome === 'failed') {
    const tools = Object.keys(JSON.parse(server?.tools ?? '{}') as object)
    const reason = `The token is good for it, but the server is not. ${listed.detail}`
    return { allowed: false, reason, decided_by: { check: 'tool_listed', rule: { tools } }, trace }
  }
  const may = judged.question.tool === undefined ? 'use this server' : 'call this tool'
  const runs = told('server_runs')
  const sentences = [
    `The token may ${may}.`,
    told('server_not_in_scope')?.detail,
    ...(runs?.outcome === 'failed' ? [runs.detail] : []),
  ]
  return {
    allowed: true,
    reason: sentences.join(' '),
    decided_by: { check: 'valid', rule: openingRule(judged) },
    trace,
  }
}
