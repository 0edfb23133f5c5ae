import type { Entry } from '../core/entries.ts'
import { type ToolRules, toolAllowed } from '../domain/tool-rules.ts'
import { isObject, objectIn, type RpcRequest } from '../http/messages.ts'

/** What a request is about: the name that tool rules judge. */
export interface Subject {
  kind: 'tool' | 'prompt' | 'resource'
  name: string
}

/** Methods that name nothing; any other that is not below is unknown to the gateway. */
const plain = new Set([
  'initialize',
  'ping',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
])

const named = new Map<string, [kind: Subject['kind'], member: string]>([
  ['tools/call', ['tool', 'name']],
  ['prompts/get', ['prompt', 'name']],
  ['resources/read', ['resource', 'uri']],
  ['resources/subscribe', ['resource', 'uri']],
  ['resources/unsubscribe', ['resource', 'uri']],
])

/** What a request is about; `null` = nothing by name, `undefined` = it cannot be told. */
export function subjectOf({ method, params }: RpcRequest): Subject | null | undefined {
  if (method === 'completion/complete') return completed(objectIn(params, 'ref'))
  const member = named.get(method)
  if (member === undefined) return plain.has(method) ? null : undefined
  return subject(member[0], params?.[member[1]])
}

function completed(ref: Record<string, unknown>): Subject | undefined {
  if (ref['type'] === 'ref/prompt') return subject('prompt', ref['name'])
  return ref['type'] === 'ref/resource' ? subject('resource', ref['uri']) : undefined
}

function subject(kind: Subject['kind'], name: unknown): Subject | undefined {
  return typeof name === 'string' && name.length <= 8_192 ? { kind, name } : undefined
}

/** Whether the method is one the gateway knows, whatever its parameters. */
export function isKnown(method: string): boolean {
  return plain.has(method) || named.has(method) || method === 'completion/complete'
}

/** Whether the entry's own list lets a tool through (enkrypt:servers:tools:allow-list). */
export function listed({ tools }: Entry, name: string): boolean {
  return tools === null || tools.has(name)
}

/** The lists a caller sees hold only what it may ask for. */
const lists = new Map<string, [list: string, name: string]>([
  ['tools/list', ['tools', 'name']],
  ['prompts/list', ['prompts', 'name']],
  ['resources/list', ['resources', 'uri']],
  ['resources/templates/list', ['resourceTemplates', 'uriTemplate']],
])

/** The member of a result that is a list, and the member by which its items are named. */
export function listOf(method: string): [list: string, name: string] | undefined {
  return lists.get(method)
}

/** The result of a list without what the rules of the token, or the list of the entry, keep from the caller. */
export function visible(
  method: string,
  result: Record<string, unknown>,
  entry: Entry,
  rules: ToolRules | null,
): Record<string, unknown> {
  const known = lists.get(method)
  if (known === undefined) return result
  const [list, member] = known
  const items = result[list]
  // What is no list is nothing a caller could be shown safely.
  if (!Array.isArray(items)) return { ...result, [list]: [] }
  const kept = items.filter((item) => {
    const name = isObject(item) ? item[member] : undefined
    if (typeof name !== 'string') return false
    return toolAllowed(rules, entry.slug, name) && (method !== 'tools/list' || listed(entry, name))
  })
  return kept.length === items.length ? result : { ...result, [list]: kept }
}
