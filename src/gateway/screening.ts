import type { Entry } from '../core/entries.ts'
import type { GuardrailPolicy } from '../domain/guardrail-policy.ts'
import { compilePolicy, type Screen } from '../domain/guardrails/compile.ts'
import { apartFrom, newRedactions, type Redactions, restore } from '../domain/guardrails/redactions.ts'
import { type Finding, screen } from '../domain/guardrails/screen.ts'
import { isRequest, type RpcAnswer, type RpcFailure, type RpcMessage } from '../http/messages.ts'
import { failure, refusedCode } from './faults.ts'

/** A message as its policy lets it pass, or what was found in it. */
export type Screened<Message> = { message: Message; memory: Redactions } | { blocked: Blocked }

/** What the caller is told of a refusal: what was found where, never the text itself. */
export interface Blocked {
  side: 'input' | 'output'
  findings: Finding[]
}

const compiled = new WeakMap<GuardrailPolicy, Screen>()

/** A policy is read once for as long as it stays the same. */
function screenOf(policy: GuardrailPolicy): Screen {
  let found = compiled.get(policy)
  if (found === undefined) {
    found = compilePolicy(policy)
    compiled.set(policy, found)
  }
  return found
}

/** Checks what goes to a server by the entry's input policy; the memory is for the answer. */
export function screenIn<Message extends RpcMessage>({ input }: Entry, message: Message): Screened<Message> {
  return screened(input, message, newRedactions(), 'input')
}

/** Checks what comes from a server by the entry's output policy. */
export function screenOut<Message extends RpcMessage>(
  { output }: Entry,
  message: Message,
): Screened<Message> {
  return screened(output, message, newRedactions(), 'output')
}

/** An answer as the caller may have it, with the caller's own texts in it again where its policy says so. */
export function screenedAnswer(entry: Entry, answer: RpcAnswer, call: Redactions): RpcAnswer {
  const checked = screened(entry.output, answer, apartFrom(call), 'output')
  if ('blocked' in checked) return blockedAnswer(answer.id, checked.blocked)
  if (!screenOf(entry.input).restores) return checked.message
  return { ...checked.message, ...(restore(partOf(checked.message), call) as object) } as RpcAnswer
}

/** The answer to a request that a guardrail stopped, on either side. */
export function blockedAnswer(id: RpcAnswer['id'], blocked: Blocked): RpcFailure {
  const what = [...new Set(blocked.findings.map(({ block }) => block))].join(', ')
  const where = blocked.side === 'input' ? 'the request' : 'the answer'
  return failure(id, refusedCode, `Blocked by a guardrail: ${what} found in ${where}`, blocked)
}

function screened<Message extends RpcMessage>(
  policy: GuardrailPolicy,
  message: Message,
  memory: Redactions,
  side: Blocked['side'],
): Screened<Message> {
  const rules = screenOf(policy)
  if (rules.checks.length === 0 && rules.mostBytes === undefined && !rules.redacts) return { message, memory }
  const part = partOf(message)
  const { findings, value } = screen(rules, part, memory)
  if (findings.length > 0) return { blocked: { side, findings } }
  return { message: value === part ? message : redacted(message, value as Part, side), memory }
}

interface Part {
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: unknown
}

/** The message with what people wrote in it redacted; what names a thing, or a place in a list, still does. */
function redacted<Message extends RpcMessage>(
  message: Message,
  { params, result, error }: Part,
  side: Blocked['side'],
): Message {
  if ('method' in message) {
    // What a server asks a client for is text as a whole; its ids and tokens are in members of their own.
    const named = isRequest(message) && side === 'input'
    const written = named ? picked(params, ['arguments', 'argument']) : { ...params }
    return { ...message, params: { ...message.params, ...written } }
  }
  if ('error' in message) return { ...message, error }
  return { ...message, result: { ...result, ...picked(message.result, ['nextCursor']) } }
}

function picked(
  from: Record<string, unknown> | undefined,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => (from !== undefined && name in from ? [[name, from[name]]] : [])),
  )
}

/** What of a message people and programs wrote: neither its id nor its method. */
function partOf(message: RpcMessage): Part {
  if ('method' in message) return message.params === undefined ? {} : { params: message.params }
  return 'result' in message ? { result: message.result } : { error: message.error }
}
