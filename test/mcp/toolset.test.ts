import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { secrets } from '../../src/core/fields.ts'
import type { AnyOperation } from '../../src/core/operation.ts'
import { roles } from '../../src/core/permissions.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import { instructions } from '../../src/mcp/instructions.ts'
import { type JsonSchema, modelInput } from '../../src/mcp/schema.ts'
import { makeTable, type Tool, toolsFor } from '../../src/mcp/table.ts'
import { chosen } from '../../src/mcp/toolsets.ts'
import { operations, toolsets } from '../../tools/index.ts'

const admin = { kind: 'local' as const, id: 'tester', role: 'admin' as const }
const everything = chosen({ toolsets: Object.keys(toolsets), readOnly: false })
const tools = toolsFor(makeTable(everything), admin)
const defaults = toolsFor(makeTable(chosen({ toolsets: [], readOnly: false })), admin)
const kilobyte = 1_000
const offered = new Set(tools.map(({ name }) => name))
/** What else has an underscore: members of inputs and answers, settings, permissions and kinds of checks. */
const members = new Set([
  ...tools.flatMap(({ inputSchema, outputSchema }) =>
    [...objectsIn(inputSchema), ...objectsIn(outputSchema)].flatMap((object) =>
      Object.keys(properties(object)),
    ),
  ),
  ...Object.keys(defaultSettings),
  // Of the free object additional_config of a guardrail.
  ...['pii_redaction', 'pii_restore', 'max_bytes'],
])
const imperative =
  /^(Add|Assign|Change|Check|Copy|Create|Delete|Enable or disable|Explain|Generate|Get|Lint|List|Remove|Rename|Report|Revoke|Rotate|Set|Simulate|Take|Update|Validate) [a-zA-Z]/
const files = readdirSync(new URL('../../tools', import.meta.url), { recursive: true }).map((path) =>
  basename(String(path)),
)

describe('the set of MCP tools', () => {
  it('the default set is the fifteen tools of the design, in its order', () => {
    expect(defaults.map(({ name }) => name)).toEqual([
      'create_token',
      'get_token',
      'list_magic_tokens',
      'update_token',
      'rotate_token',
      'revoke_token',
      'set_token_enabled',
      'validate_token',
      'explain_access',
      'add_groups',
      'remove_groups',
      'list_groups',
      'create_group',
      'list_servers',
      'list_audit_events',
    ])
  })

  it('the listed default set stays within 24 KB without output schemas and 40 KB with them', () => {
    const bare = defaults.map(({ outputSchema: _, ...tool }) => tool)
    expect(bytes({ tools: bare })).toBeLessThanOrEqual(24 * kilobyte)
    expect(bytes({ tools: defaults })).toBeLessThanOrEqual(40 * kilobyte)
  })

  it.each(Object.keys(toolsets).filter((set) => toolsets[set]?.default === false))(
    'the set %s beside the default one stays within its share: 1.5 KB a tool without output schemas, 2.8 KB with',
    (set) => {
      const more = toolsFor(makeTable(chosen({ toolsets: [set], readOnly: false })), admin).slice(
        defaults.length,
      )
      const bare = more.map(({ outputSchema: _, ...tool }) => tool)
      expect(bytes(bare)).toBeLessThanOrEqual(Math.max(3.5 * kilobyte, 1.5 * kilobyte * more.length))
      expect(bytes(more)).toBeLessThanOrEqual(Math.max(6 * kilobyte, 2.8 * kilobyte * more.length))
      expect(more.length).toBeLessThanOrEqual(16)
    },
  )

  it('no two tools have the same title or description, and each role is shown tools of these alone', () => {
    const titles = tools.map(({ title }) => title.toLowerCase())
    expect(new Set(titles).size).toBe(tools.length)
    expect(new Set(tools.map(({ description }) => description)).size).toBe(tools.length)
    const table = makeTable(everything)
    const shown = roles.map((role) => toolsFor(table, { ...admin, role }))
    for (const list of shown) expect(tools).toEqual(expect.arrayContaining(list))
    const writes = shown.map((list) => list.filter(({ annotations }) => !annotations.readOnlyHint).length)
    expect(writes.map((count) => count > 0)).toEqual(
      roles.map((role) => role === 'admin' || role === 'operator'),
    )
    expect(shown.at(-1)?.map(({ name }) => name)).toEqual(['validate_token'])
  })

  it('a changed tool is a reviewed change: the whole list equals its snapshot', async () => {
    await expect(`${JSON.stringify({ tools }, null, 2)}\n`).toMatchFileSnapshot(
      '__snapshots__/tools-list.json',
    )
  })

  it('R19: backup, restore, reset and the minting of keys are in no set', () => {
    const hidden = operations.filter(({ faces }) => faces !== undefined && !faces.includes('mcp'))
    expect(hidden.length).toBeGreaterThan(0)
    expect(
      tools
        .map(({ name }) => name)
        .filter((name) => /backup|restore|reset|management_key|settings/.test(name)),
    ).toEqual([])
  })

  it('read-only wins over every toolset', () => {
    const names = chosen({ toolsets: Object.keys(toolsets), readOnly: true })
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter(({ effect }) => effect !== 'read')).toEqual([])
  })

  it('an unknown toolset is refused with the names of those there are', () => {
    expect(() => chosen({ toolsets: ['nope'], readOnly: false })).toThrow(/no toolset "nope".*tokens/)
  })

  it('the table is frozen, so that no caller can change what another is shown', () => {
    const [tool] = defaults
    expect(Object.isFrozen(tool) && Object.isFrozen(tool?.inputSchema['properties'])).toBe(true)
  })

  it('R11: the instructions are 400 to 700 characters of fixed text', () => {
    expect(instructions.length).toBeGreaterThanOrEqual(400)
    expect(instructions.length).toBeLessThanOrEqual(700)
  })
})

describe.each(everything.map((operation) => [operation.name, operation] as const))(
  'the tool %s',
  (name, operation) => {
    const tool = tools.find((one) => one.name === name) as Tool

    it('is named verb_noun, and its file the same', () => {
      expect(files).toContain(`${name}.ts`)
      expect(name).toMatch(
        /^(create|get|list|update|delete|rotate|revoke|set|validate|add|remove|verify|copy|assign|unassign|generate|check|explain|simulate|report)(_[a-z]+)+$/,
      )
    })

    it('is described in 120 to 450 characters and 2 to 4 sentences', () => {
      expect(tool.description.length).toBeGreaterThanOrEqual(120)
      expect(tool.description.length).toBeLessThanOrEqual(450)
      const sentences = tool.description.match(/[.!?](?= [A-Z"]|$)/g) ?? []
      expect(sentences.length).toBeGreaterThanOrEqual(2)
      expect(sentences.length).toBeLessThanOrEqual(4)
    })

    it('describes every parameter, and every member within one', () => {
      for (const object of objectsIn(tool.inputSchema)) {
        for (const [member, schema] of Object.entries(properties(object))) {
          expect(schema, member).toHaveProperty('description', expect.stringMatching(/\S/))
        }
      }
    })

    it('takes few parameters, and none that it does not name', () => {
      const most = ['create_token', 'update_token', 'list_magic_tokens'].includes(name) ? 12 : 8
      expect(Object.keys(properties(tool.inputSchema)).length).toBeLessThanOrEqual(most)
      for (const schema of objectsIn(tool.inputSchema))
        expect(schema).toHaveProperty('additionalProperties', false)
    })

    it('R11: is described in plain words: no markup, no secret, and no order about what else is there', () => {
      for (const text of textsIn(tool)) {
        expect(text).toMatch(/^[\x20-\x7e–…]+$/)
        expect(text).not.toMatch(/[<>`]|\*\*\w|\]\(|mcp[tm]_[0-9A-Za-z]/)
        expect(text).not.toMatch(
          /\b(ignore (all|any|other|previous)|other (MCP servers'? )?tools|system prompt|you must|important:|always (call|use)|before (any|every) other|do not (tell|mention))\b/i,
        )
      }
    })

    it('points to a sibling, and names nothing that is not there', () => {
      const words = namesIn([tool.description, ...textsIn(tool.inputSchema)].join(' '))
      const siblings = namesIn(tool.description).filter((word) => word !== name && offered.has(word))
      expect(siblings).not.toEqual([])
      expect(words.filter((word) => !offered.has(word) && !members.has(word))).toEqual([])
      // What is offered unasked points to nothing that a client may be without.
      if (defaults.some((one) => one.name === name)) {
        const unasked = new Set(defaults.map((one) => one.name))
        expect(words.filter((word) => offered.has(word) && !unasked.has(word))).toEqual([])
      }
    })

    it('has hints that agree with its name', () => {
      const { readOnlyHint, destructiveHint, idempotentHint } = tool.annotations
      const verb = name.slice(0, name.indexOf('_'))
      const reads = ['get', 'list', 'validate', 'verify', 'check', 'explain', 'simulate', 'lint']
      const makes = ['create', 'copy', 'generate']
      expect([verb, readOnlyHint]).toEqual([verb, reads.includes(verb)])
      if (makes.includes(verb)) expect([destructiveHint, idempotentHint]).toEqual([false, false])
      if (['delete', 'revoke', 'rotate', 'remove', 'update', 'set'].includes(verb))
        expect(destructiveHint).toBe(true)
      if (readOnlyHint || verb === 'set' || verb === 'update') expect(idempotentHint).toBe(true)
    })

    it('has a title, all four hints and an output schema', () => {
      const { title, annotations, outputSchema } = tool
      expect(title.length).toBeGreaterThan(4)
      expect(title).toMatch(imperative)
      expect(annotations.title).toBe(title)
      expect(Object.keys(annotations).sort()).toEqual(
        ['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint', 'title'].sort(),
      )
      expect(annotations.openWorldHint).toBe(false)
      expect(annotations.readOnlyHint).toBe(operation.effect === 'read')
      expect(annotations.destructiveHint).toBe(['change', 'destroy'].includes(operation.effect))
      expect(outputSchema.type).toBe('object')
      expect(Object.keys(properties(outputSchema)).length).toBeGreaterThan(0)
    })

    it('R8: whatever carries a secret can be left out, is no header, and has a way around it', () => {
      expect(JSON.stringify(tool.inputSchema)).not.toContain('x-mcp-header')
      const required = new Set((tool.inputSchema['required'] as string[] | undefined) ?? [])
      for (const parameter of secretParameters(operation)) {
        expect(required.has(parameter), parameter).toBe(false)
        const around = aroundSecrets[parameter]
        expect(around, parameter).toBeDefined()
        expect(around?.(tool), parameter).toBe(true)
      }
    })
  },
)

it('R8: the check for secret parameters sees those there are, and a new one has to be named here', () => {
  expect([...new Set(everything.flatMap(secretParameters))].sort()).toEqual(Object.keys(aroundSecrets).sort())
})

it('R7: a password of a person is no parameter for a model, and is refused by name if one is sent', () => {
  const { input } = operations.find(({ name }) => name === 'create_user')!
  expect(Object.keys(input.shape)).toContain('password')
  expect(Object.keys(modelInput(input).shape)).toEqual(['email', 'name', 'idempotency_key'])
  expect(modelInput(input).safeParse({ email: 'a@example.com', password: 'x'.repeat(12) }).success).toBe(
    false,
  )
})

/** How each parameter that can hold a secret is done without, and that its tool says so. */
const aroundSecrets: Record<string, (tool: Tool) => boolean> = {
  secret: ({ inputSchema }) =>
    'token_id' in properties(inputSchema) && JSON.stringify(inputSchema).includes('prefer token_id'),
  token: ({ inputSchema, description }) =>
    'token_id' in properties(inputSchema) && description.includes('Prefer token_id'),
}

/** Parameters that hold a secret, by mark or by name; an idempotency key is chosen by the caller and opens nothing. */
function secretParameters({ input }: AnyOperation): string[] {
  return Object.entries(modelInput(input).shape as Record<string, z.ZodType>)
    .filter(([name, schema]) => {
      const inner = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema
      if (secrets.has(schema) || secrets.has(inner)) return true
      return /token|secret|key|password/.test(name) && !/_ids?$|^idempotency_key$/.test(name)
    })
    .map(([name]) => name)
}

function properties(schema: object): Record<string, object> {
  return (schema as { properties?: Record<string, object> }).properties ?? {}
}

/** Every object with named members in a schema; free ones such as metadata name none. */
function objectsIn(schema: object): object[] {
  const inner = Object.values(schema).flatMap((value) =>
    typeof value === 'object' && value !== null ? objectsIn(value as JsonSchema) : [],
  )
  return 'properties' in schema && 'type' in schema ? [schema, ...inner] : inner
}

/** Every text of a tool or schema that is written for its reader. */
function textsIn(value: object): string[] {
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner === 'string') return key === 'description' || key === 'title' ? [inner] : []
    return typeof inner === 'object' && inner !== null ? textsIn(inner) : []
  })
}

/** The words with an underscore: names of tools, parameters, settings. */
function namesIn(text: string): string[] {
  return text.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []
}

function bytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
