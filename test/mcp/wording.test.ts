import { describe, expect, it } from 'vitest'
import { may } from '../../src/core/actor.ts'
import type { roles } from '../../src/core/permissions.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import { makeTable } from '../../src/mcp/table.ts'
import { chosen } from '../../src/mcp/toolsets.ts'
import { toolsets } from '../../tools/index.ts'
import { tools as all, parametersOf } from './refused.ts'

const tools = [...all.values()]
const offeredBy = (sets: string[]) =>
  [...makeTable(chosen({ toolsets: sets, readOnly: false })).values()].map(({ tool }) => tool)
const unasked = new Set(offeredBy([]).map(({ name }) => name))
const optional = Object.keys(toolsets).filter((set) => toolsets[set]?.default === false)
const kilobyte = 1_000
/** What else has an underscore: members of inputs and answers, settings, and checks of a guardrail. */
const members = new Set([
  ...tools.flatMap(({ name, outputSchema }) => [
    ...Object.keys(parametersOf(name)),
    ...membersIn(outputSchema),
  ]),
  ...Object.keys(defaultSettings),
  ...['pii_redaction', 'pii_restore', 'max_bytes'],
])
const imperative =
  /^(Add|Assign|Change|Check|Copy|Create|Delete|Enable or disable|Explain|Generate|Get|Lint|List|Remove|Rename|Report|Revoke|Rotate|Set|Simulate|Take|Update|Validate) [a-zA-Z]/
const orders =
  /\b(ignore (all|any|other|previous)|other (MCP servers'? )?tools|system prompt|you must|important:|always (call|use)|before (any|every) other|do not (tell|mention))\b/i

describe('the words of the tools', () => {
  it.each(optional)(
    'the set %s beside the default one stays within its share: 1.5 KB a tool without output schemas, 2.8 KB with',
    (set) => {
      const more = offeredBy([set]).filter(({ name }) => !unasked.has(name))
      const bare = more.map(({ outputSchema: _, ...tool }) => tool)
      // One large tool weighs much in a set of one or two.
      const [least, leastWhole] = more.length === 2 ? [5, 8.8] : [3.5, 6]
      expect(bytes(bare)).toBeLessThanOrEqual(Math.max(least, 1.5 * more.length) * kilobyte)
      expect(bytes(more)).toBeLessThanOrEqual(Math.max(leastWhole, 2.8 * more.length) * kilobyte)
      expect(more.length).toBeLessThanOrEqual(16)
    },
  )

  it('no two tools have the same title or description', () => {
    expect(new Set(tools.map(({ title }) => title.toLowerCase())).size).toBe(tools.length)
    expect(new Set(tools.map(({ description }) => description)).size).toBe(tools.length)
  })

  it('a role that may change nothing is offered reading alone', () => {
    const operations = chosen({ toolsets: Object.keys(toolsets), readOnly: false })
    const offered = (role: (typeof roles)[number]) =>
      operations.filter(({ permission }) => may({ kind: 'local', id: 'x', role }, permission))
    expect(offered('reader').filter(({ effect }) => effect !== 'read')).toEqual([])
    expect(offered('validator').map(({ name }) => name)).toEqual(['validate_token'])
    expect(offered('operator').some(({ effect }) => effect === 'destroy')).toBe(true)
  })

  describe.each(tools.map((tool) => [tool.name, tool] as const))('%s', (name, tool) => {
    it('describes every member of its input, however deep', () => {
      for (const [member, schema] of described(tool.inputSchema)) {
        expect(schema, member).toHaveProperty('description', expect.stringMatching(/\S/))
      }
    })

    it('R11: is told in plain words: no markup, no secret, and no order about what else is there', () => {
      for (const text of textsIn(tool)) {
        expect(text).toMatch(/^[\x20-\x7e–…]+$/)
        expect(text).not.toMatch(/[<>`]|\*\*\w|\]\(|mcp[tm]_[0-9A-Za-z]/)
        expect(text).not.toMatch(orders)
      }
    })

    it('points to a sibling, and names nothing that is not there', () => {
      const siblings = namesIn(tool.description).filter((word) => word !== name && all.has(word))
      expect(siblings).not.toEqual([])
      const words = namesIn(textsIn(tool.inputSchema).concat(tool.description).join(' '))
      expect(words.filter((word) => !all.has(word) && !members.has(word))).toEqual([])
      // What is offered unasked points to nothing that a client may be without.
      const beyond = words.filter((word) => all.has(word) && !unasked.has(word))
      if (unasked.has(name)) expect(beyond).toEqual([])
    })

    it('has an imperative title, and hints that agree with its verb', () => {
      const { readOnlyHint, destructiveHint, idempotentHint, title } = tool.annotations
      expect(tool.title).toMatch(imperative)
      expect(title).toBe(tool.title)
      const verb = name.slice(0, name.indexOf('_'))
      const reads = ['get', 'list', 'validate', 'verify', 'check', 'explain', 'simulate', 'lint']
      expect([verb, readOnlyHint]).toEqual([verb, reads.includes(verb)])
      const makes = ['create', 'copy', 'generate'].includes(verb)
      if (makes) expect([destructiveHint, idempotentHint]).toEqual([false, false])
      const ends = ['delete', 'revoke', 'rotate', 'remove', 'update', 'set'].includes(verb)
      if (ends) expect(destructiveHint).toBe(true)
      if (readOnlyHint || verb === 'set' || verb === 'update') expect(idempotentHint).toBe(true)
    })
  })
})

type Node = Record<string, unknown>

/** Every named member of the objects in a schema. */
function described(schema: object): [string, object][] {
  const { properties = {}, ...others } = schema as { properties?: Record<string, object> }
  const inside = [...Object.values(properties), ...Object.values(others)].filter(isNode)
  return [...Object.entries(properties), ...inside.flatMap(described)]
}

function membersIn(schema: object): string[] {
  return described(schema).map(([member]) => member)
}

/** Every text of a tool or schema that is written for its reader. */
function textsIn(value: object): string[] {
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner === 'string') return key === 'description' || key === 'title' ? [inner] : []
    return isNode(inner) ? textsIn(inner) : []
  })
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}

/** The words with an underscore: names of tools, parameters, settings. */
function namesIn(text: string): string[] {
  return text.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []
}

function bytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
