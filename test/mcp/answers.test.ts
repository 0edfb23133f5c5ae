import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonSchema } from '../../src/mcp/schema.ts'
import { chosen } from '../../src/mcp/toolsets.ts'
import { toolsets } from '../../tools/index.ts'
import { type Plays, plantPlays } from './plays.ts'
import { parametersOf } from './refused.ts'
import { confirmed, type McpServer, startMcp } from './server.ts'

const all = Object.keys(toolsets)
const names = chosen({ toolsets: all, readOnly: false }).map(({ name }) => name)
const ajv = new Ajv2020({ strict: false, validateFormats: false })

describe('what a tool answers', () => {
  let server: McpServer
  let client: Awaited<ReturnType<McpServer['client']>>
  let plays: Plays
  const outputs = new Map<string, JsonSchema>()

  beforeAll(async () => {
    server = await startMcp({ toolsets: all })
    plays = await plantPlays(server.instance)
    client = await server.client(await server.key('admin'))
    for (const { name, outputSchema } of (await client.listTools()).tools)
      outputs.set(name, outputSchema as JsonSchema)
  })
  afterAll(() => server.close())

  it('is played here for every tool of every set, and for nothing else', () => {
    expect(Object.keys(plays).sort()).toEqual([...names].sort())
    expect([...outputs.keys()]).toEqual(names)
  })

  it.each(names)('%s: has the form of its output schema, and its text says the same', async (name) => {
    const inTwoSteps = 'confirm' in parametersOf(name)
    const args = plays[name] ?? {}
    const answer = inTwoSteps
      ? await confirmed(client, name, args)
      : await client.callTool({ name, arguments: args })
    const [{ text }] = answer.content as [{ text: string }]
    expect([text, answer.isError ?? false]).toEqual([JSON.stringify(answer.structuredContent), false])
    const schema = outputs.get(name) ?? { type: 'object' }
    const conforms = ajv.compile(schema)
    expect([conforms(answer.structuredContent), conforms.errors]).toEqual([true, null])
    const named = Object.keys(schema['properties'] as object)
    expect(Object.keys(answer.structuredContent as object).filter((one) => !named.includes(one))).toEqual([])
    // The schema says something: an answer without any member is none.
    expect(conforms({})).toBe(false)
  })
})
