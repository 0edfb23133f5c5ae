import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { expect } from 'vitest'
import { errorCodes } from '../../src/core/errors.ts'
import { lintRules } from '../../src/domain/hygiene.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import { makeTable, type Tool } from '../../src/mcp/table.ts'
import { chosen } from '../../src/mcp/toolsets.ts'
import { operations, toolsets } from '../../tools/index.ts'

/** Every tool of every set by its name. */
export const tools: ReadonlyMap<string, Tool> = new Map(
  [...makeTable(chosen({ toolsets: Object.keys(toolsets), readOnly: false })).values()].map(({ tool }) => [
    tool.name,
    tool,
  ]),
)

interface Schema {
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  items?: Schema
}

/** The parameters of a tool, those inside others included, by their names. */
export function parametersOf(name: string): Record<string, Schema> {
  return membersOf(tools.get(name)?.inputSchema as Schema)
}

function membersOf({ properties = {}, items }: Schema): Record<string, Schema> {
  const inside = [...Object.values(properties), ...(items ? [items] : [])].map(membersOf)
  return Object.assign({}, ...inside, properties)
}

const hidden = new Set(operations.map(({ name }) => name).filter((name) => !tools.has(name)))
/** Every word with an underscore that a refusal may use. */
const known = new Set([
  ...tools.keys(),
  ...[...tools.keys()].flatMap((name) => Object.keys(parametersOf(name))),
  ...errorCodes,
  ...Object.keys(defaultSettings),
  ...lintRules,
  'next_cursor',
  // Of the permission user_keys:write.
  'user_keys',
])
const leak = /\n|\bat \S+[:(]|node_modules|sqlite|postgres|\bselect\b|\/(home|tmp|usr|var)\/|mcp[tm]_\w{12}/i

/** The code and the sentence of a call that a tool refuses, in the form that every refusal has. */
export async function refused(client: Client, name: string, args: object): Promise<[string, string]> {
  const answer = await client.callTool({ name, arguments: args as Record<string, unknown> })
  const told = JSON.stringify([name, args, answer.structuredContent])
  expect([told, answer.isError]).toEqual([told, true])
  expect(answer.structuredContent).toBeUndefined()
  const [{ type, text }, ...more] = answer.content as [{ type: string; text: string }]
  expect([type, more]).toEqual(['text', []])
  const [, code = '', sentence = ''] = /^([a-z_]+): (.*)$/s.exec(text) ?? []
  expect(errorCodes).toContain(code)
  expect(answer._meta).toEqual({ 'tokenwright/code': code })
  expect(text.length, text).toBeLessThanOrEqual(300)
  expect(sentence).toMatch(/^\S.*[.]$/)
  expect(sentence).not.toMatch(leak)
  for (const word of wordsOf(sentence)) {
    const spoken = hidden.has(word)
      ? sentence.includes(`tokenwright ${word.replaceAll('_', '-')}`)
      : known.has(word)
    expect([spoken, word, text]).toEqual([true, word, text])
  }
  return [code, sentence]
}

/** Whether the sentence names a tool to call next. */
export function namesACall(sentence: string): boolean {
  return wordsOf(sentence).some((word) => tools.has(word))
}

/** Whether the sentence names a parameter of the tool. */
export function namesAParameter(sentence: string, name: string): boolean {
  return Object.keys(parametersOf(name)).some((parameter) => new RegExp(`\\b${parameter}\\b`).test(sentence))
}

function wordsOf(sentence: string): string[] {
  return sentence.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []
}
