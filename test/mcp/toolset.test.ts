import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { secrets } from '../../src/core/fields.ts'
import type { AnyOperation } from '../../src/core/operation.ts'
import { instructions } from '../../src/mcp/instructions.ts'
import { covers, listedFor } from '../../src/mcp/listed.ts'
import { listing } from '../../src/mcp/listing.ts'
import { type JsonSchema, modelInput } from '../../src/mcp/schema.ts'
import type { Tool } from '../../src/mcp/table.ts'
import { chosen } from '../../src/mcp/toolsets.ts'
import { operations, toolsets } from '../../tools/index.ts'

const admin = { kind: 'local' as const, id: 'tester', role: 'admin' as const }
const all = Object.keys(toolsets)
const everything = chosen({ toolsets: all, readOnly: false })
const shown = (sets: string[]) =>
  listedFor(listing, { toolsets: sets, readOnly: false })
    .filter((one) => covers(admin, one))
    .map(({ tool }) => tool)
const tools = shown(all)
const defaults = shown([])
const kilobyte = 1_000
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
        /^(create|get|lint|list|update|delete|rotate|revoke|set|validate|add|remove|verify|copy|assign|unassign|generate|check|explain|simulate|report)(_[a-z]+)+$/,
      )
    })

    it('is described in 120 to 450 characters and 2 to 4 sentences', () => {
      expect(tool.description.length).toBeGreaterThanOrEqual(120)
      expect(tool.description.length).toBeLessThanOrEqual(450)
      const sentences = tool.description.match(/[.!?](?= [A-Z"]|$)/g) ?? []
      expect(sentences.length).toBeGreaterThanOrEqual(2)
      expect(sentences.length).toBeLessThanOrEqual(4)
    })

    it('describes every parameter', () => {
      for (const [parameter, schema] of Object.entries(properties(tool.inputSchema))) {
        expect(schema, parameter).toHaveProperty('description')
        for (const [member, inner] of Object.entries(properties(schema))) {
          expect(inner, `${parameter}.${member}`).toHaveProperty('description')
        }
      }
    })

    it('takes few parameters, and none that it does not name', () => {
      const most = ['create_token', 'update_token', 'list_magic_tokens'].includes(name) ? 12 : 8
      expect(Object.keys(properties(tool.inputSchema)).length).toBeLessThanOrEqual(most)
      for (const schema of objectsIn(tool.inputSchema))
        expect(schema).toHaveProperty('additionalProperties', false)
    })

    it('has a title, all four hints and an output schema', () => {
      const { title, annotations, outputSchema } = tool
      expect(title.length).toBeGreaterThan(4)
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

function bytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
