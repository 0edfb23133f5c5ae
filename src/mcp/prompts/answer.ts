import type { Actor } from '../../core/actor.ts'
import type { Core } from '../../core/invoke.ts'
import { secretPattern } from '../../domain/secret.ts'
import { isObject } from '../../http/messages.ts'
import { rpc } from '../../http/rpc.ts'
import { iconsOf } from '../icons.ts'
import { covers } from '../listed.ts'
import { protocolError } from '../refusals.ts'
import { runFor } from '../resources/kind.ts'
import type { Json, Turn } from '../surface.ts'
import type { Table } from '../table.ts'
import { prompts } from './index.ts'
import type { Prompt, ToolName } from './prompt.ts'

/** Characters of an argument. */
const longest = 254

/** Lists the prompts whose tools the caller has (`prompts/list`). */
export function listPrompts(table: Table, { caller, params }: Turn): Json {
  if (params['cursor'] !== undefined) {
    throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
  }
  const listed = [...prompts.values()].filter((prompt) => isOffered(table, caller.actor, prompt))
  return {
    prompts: listed.map(({ name, title, description, toolset, arguments: args }) => ({
      name,
      title,
      description,
      icons: iconsOf(toolset),
      arguments: args.map(({ completes: _, required = false, ...rest }) => ({ ...rest, required })),
    })),
  }
}

/** Writes a prompt for its caller (`prompts/get`). */
export async function getPrompt(core: Core, table: Table, { caller, params }: Turn): Promise<Json> {
  const { name, arguments: args = {} } = params
  const prompt = typeof name === 'string' ? prompts.get(name) : undefined
  if (prompt === undefined || !isOffered(table, caller.actor, prompt)) {
    throw protocolError(rpc.params, 'Unknown prompt. prompts/list names the prompts there are.')
  }
  const { text, links = [] } = await prompt.write({
    given: argumentsOf(prompt, args),
    run: runFor(core, caller),
    offers: (tool) => has(table, caller.actor, tool),
    now: core.clock(),
  })
  const messages = [{ type: 'text', text }, ...links].map((content) => ({ role: 'user', content }))
  return { description: prompt.description, messages }
}

/** Whether the caller has every tool the prompt works with. */
export function isOffered(table: Table, actor: Actor, { uses }: Prompt): boolean {
  return uses.every((tool) => has(table, actor, tool))
}

function has(table: Table, actor: Actor, tool: ToolName): boolean {
  const offer = table.get(tool)
  return offer !== undefined && covers(actor, offer.operation)
}

function argumentsOf({ arguments: known }: Prompt, args: unknown): Record<string, string> {
  if (!isObject(args)) throw protocolError(rpc.params, 'arguments: must be an object.')
  const names = known.map(({ name }) => name)
  if (Object.keys(args).some((name) => !names.includes(name)))
    throw protocolError(rpc.params, `arguments: this prompt takes ${names.join(', ')} and nothing else.`)
  const given: Record<string, string> = {}
  for (const { name, required } of known) {
    const value = givenText(name, args[name])
    if (value !== undefined) given[name] = value
    else if (required) throw protocolError(rpc.params, `${name}: this argument is missing.`)
  }
  return given
}

/** What a form sends for a field that was left empty is no value. */
function givenText(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw protocolError(rpc.params, `${name}: must be a text.`)
  const text = value.trim()
  if (text.length > longest)
    throw protocolError(rpc.params, `${name}: must be at most ${longest} characters long.`)
  // It would stand in the conversation, which is kept and sent on (security R7).
  if (text.search(secretPattern) !== -1)
    throw protocolError(
      rpc.params,
      `${name}: this is a secret. Give the id or the name of the token instead.`,
    )
  return text === '' ? undefined : text
}
