import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toolsets } from '../../tools/index.ts'
import { type Plays, plantPlays } from './plays.ts'
import { namesACall, parametersOf, refused, tools } from './refused.ts'
import { type McpServer, startMcp } from './server.ts'

/** What an unknown id is to these: nothing in a list, a "no" as the answer, or what is not there already. */
const harmless = new Set([
  'list_magic_tokens group_id',
  'list_magic_tokens server_id',
  'list_magic_tokens project_id',
  'list_magic_tokens owner_id',
  'list_servers group_id',
  'lint_tokens project_id',
  'lint_tokens owner_id',
  'list_projects user_id',
  'list_users project_id',
  'remove_groups group_ids',
  'remove_group_servers server_ids',
  'simulate_change group_ids',
])

/** What goes with an id that excludes others, or needs them. */
const beside: Record<string, (plays: Plays) => object> = {
  'simulate_change token_id': () => ({ change: 'revoke' }),
  'simulate_change group_id': () => ({ change: 'delete' }),
  'simulate_change server_id': () => ({ change: 'delete' }),
  'simulate_change group_ids': ({ get_token }) => ({ ...get_token, change: 'add_groups' }),
}

describe('refusals of the tools', () => {
  let server: McpServer
  let plays: Plays
  let admin: Client
  let reader: Client
  let validator: Client

  beforeAll(async () => {
    server = await startMcp({ toolsets: Object.keys(toolsets) })
    plays = await plantPlays(server.instance)
    admin = await server.client(await server.key('admin'))
    reader = await server.client(await server.key('reader'))
    validator = await server.client(await server.key('validator'))
  })
  afterAll(() => server.close())

  /** A good call, which may be sent again and again. */
  function goodOf(name: string): Record<string, unknown> {
    const { idempotency_key: _, ...args } = plays[name] ?? {}
    return args
  }

  describe.each([...tools.values()].map((tool) => [tool.name, tool] as const))('%s', (name, tool) => {
    const { properties = {}, required = [] } = tool.inputSchema as unknown as {
      properties?: Record<string, { type?: string | string[]; enum?: string[] }>
      required?: string[]
    }

    it('says which parameter is missing', async () => {
      for (const parameter of required) {
        const { [parameter]: _, ...args } = goodOf(name)
        const [code, sentence] = await refused(admin, name, args)
        expect(code).toBe('invalid_input')
        expect(sentence).toMatch(new RegExp(`^${parameter}: (must be given|.*expected one of )`))
      }
    })

    it('says which parameter is of the wrong type, and what it takes', async () => {
      for (const [parameter, schema] of Object.entries(properties)) {
        const wrong = [schema.type].flat().includes('object') ? 7 : { a: 1 }
        const [code, sentence] = await refused(admin, name, { ...goodOf(name), [parameter]: wrong })
        expect(code).toBe('invalid_input')
        const takes =
          schema.enum?.map((one) => `"${one}"`).join('|') ?? '(string|number|boolean|object|array)'
        expect(sentence).toMatch(new RegExp(`^${parameter}: .*expected (one of )?${takes}`))
      }
    })

    it('names the parameters there are to a call with one there is not', async () => {
      const [code, sentence] = await refused(admin, name, { ...goodOf(name), nonsense: 1 })
      const takes = Object.keys(properties).join(', ') || 'none'
      expect([code, sentence]).toEqual([
        'invalid_input',
        `nonsense: unknown argument nonsense; ${name} takes ${takes}.`,
      ])
    })

    it('stays short and tells no names of the caller, however many parameters are wrong', async () => {
      const many = Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`${'x'.repeat(28)}${at}`, at]))
      const wrong = Object.fromEntries(Object.keys(properties).map((one) => [one, ['x'.repeat(400)]]))
      for (const args of [many, wrong, { ...many, ...wrong }]) {
        if (Object.keys(args).length > 0) expect((await refused(admin, name, args))[0]).toBe('invalid_input')
      }
    })

    it('tells for an unknown id which call shows the ids', async () => {
      for (const [parameter, [prefix, isList]] of idsOf(name)) {
        const unknown = `${prefix}_0000000000000000000001`
        const key = `${name} ${parameter}`
        const args = { ...(beside[key]?.(plays) ?? goodOf(name)), [parameter]: isList ? [unknown] : unknown }
        if (harmless.has(key)) {
          const answer = await admin.callTool({ name, arguments: args })
          expect([key, answer.isError ?? false]).toEqual([key, false])
          continue
        }
        const [code, sentence] = await refused(admin, name, args)
        expect([key, code]).toEqual([key, 'not_found'])
        expect(sentence).toMatch(/^No \w+( \w+)? with that id is in your reach\. (list|get)_\w+ shows /)
        expect(namesACall(sentence)).toBe(true)
      }
    })

    it('tells a caller without the permission which one it takes, and which roles have it', async () => {
      const caller = tool.annotations.readOnlyHint ? validator : reader
      const [code, sentence] = await refused(caller, name, goodOf(name))
      expect(code).toBe('forbidden')
      if (name === 'validate_token') {
        expect(sentence).toBe('Inspecting a token by id needs tokens:read; give the secret as token instead.')
        return
      }
      expect(sentence).toMatch(
        new RegExp(
          `^This credential may not call ${name}; it needs [a-z_]+:(read|write), which a key with the role admin\\b.* has\\.$`,
        ),
      )
    })
  })

  /** The parameters that take ids, with the prefix of those: what their descriptions say. */
  function idsOf(name: string): [string, [prefix: string, isList: boolean]][] {
    const properties: object = tools.get(name)?.inputSchema['properties'] ?? {}
    return Object.entries(parametersOf(name)).flatMap(([parameter, { description = '', items }]) => {
      const prefix = /\((mgtk|mggr|mgsr|proj|usr|cfg)_…\)/.exec(items?.description ?? description)?.[1]
      if (prefix === undefined || !(parameter in properties)) return []
      return [[parameter, [prefix, items !== undefined]]]
    })
  }

  it('every id a tool takes was asked for in vain, or is known to do no harm', () => {
    const asked = [...tools.keys()].flatMap((name) =>
      idsOf(name).map(([parameter]) => `${name} ${parameter}`),
    )
    expect(asked.length).toBeGreaterThan(50)
    expect([...harmless, ...Object.keys(beside)].filter((key) => !asked.includes(key))).toEqual([])
  })
})
