import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decidingRule,
  listedTools,
  type ToolRules,
  toolAllowed,
  toolRulesSchema,
} from '../../src/domain/tool-rules.ts'

describe('R16: toolAllowed', () => {
  const table: [string, ToolRules | null, string, string, boolean][] = [
    ['no rules allow every tool', null, 'weather', 'forecast', true],
    ['empty rules allow every tool', {}, 'weather', 'forecast', true],
    ['an empty deny allows every tool', { deny: [] }, 'weather', 'forecast', true],
    ['an empty allow allows no tool', { allow: [] }, 'weather', 'forecast', false],
    ['an allow names the tool', { allow: ['weather/forecast'] }, 'weather', 'forecast', true],
    ['what allow does not name is refused', { allow: ['weather/forecast'] }, 'weather', 'history', false],
    [
      'the same tool of another server is refused',
      { allow: ['weather/forecast'] },
      'github',
      'forecast',
      false,
    ],
    ['deny names the tool', { deny: ['weather/forecast'] }, 'weather', 'forecast', false],
    ['what deny does not name stays allowed', { deny: ['weather/forecast'] }, 'weather', 'history', true],
    ['deny wins over allow', { allow: ['*/*'], deny: ['*/delete_*'] }, 'github', 'delete_repo', false],
    ['deny wins over an exact allow', { allow: ['a/b'], deny: ['a/*'] }, 'a', 'b', false],
    ['a pattern without / is the tool on any server', { allow: ['forecast'] }, 'anything', 'forecast', true],
    ['a pattern without / is never a server', { allow: ['weather'] }, 'weather', 'forecast', false],
    ['* alone is every tool', { allow: ['*'] }, 'weather', 'forecast', true],
    ['* stands for nothing as well', { allow: ['weather/forecast*'] }, 'weather', 'forecast', true],
    ['* in the middle', { allow: ['we*er/f*t'] }, 'weather', 'forecast', true],
    ['* does not let the ends overlap', { allow: ['aba*aba'] }, 's', 'ababa', false],
    ['two stars', { allow: ['*a*b'] }, 's', 'xaxbxb', true],
    ['two stars in the wrong order', { allow: ['*b*a*'] }, 's', 'ab', false],
    ['a row of stars', { allow: ['***'] }, 's', 'x', true],
    ['* does not cross from server to tool', { allow: ['wea*cast'] }, 'weather', 'forecast', false],
    ['a tool with a / of its own escapes no deny', { deny: ['delete*'] }, 'files', 'delete/all', false],
    [
      'a tool with a / of its own escapes no deny of its server',
      { deny: ['files/*'] },
      'files',
      'a/b',
      false,
    ],
    ['a tool cannot pose as another server', { allow: ['safe/read'] }, 'evil', 'safe/read', false],
    ['case matters', { allow: ['Forecast'] }, 'weather', 'forecast', false],
    ['? is itself', { allow: ['a?c'] }, 's', 'abc', false],
    ['. is itself', { allow: ['a.c'] }, 's', 'abc', false],
    ['[] is itself', { allow: ['[a]'] }, 's', 'a', false],
    ['\\ is itself', { allow: ['a\\*'] }, 's', 'a*', false],
    ['the whole name has to match', { allow: ['cast'] }, 's', 'forecast', false],
    ['an empty tool name matches * only', { allow: ['a*'] }, 's', '', false],
    ['an empty pattern part matches nothing real', { allow: ['/forecast'] }, 's', 'forecast', false],
  ]

  it.each(table)('R16: %s', (_, rules, server, tool, allowed) => {
    expect(toolAllowed(rules, server, tool)).toBe(allowed)
  })

  it('R16: matches every pattern as a plain recursive definition does', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
    fc.assert(
      fc.property(letters, name, (glob, tool) => {
        expect(toolAllowed({ allow: [`s/${glob}`] }, 's', tool)).toBe(byDefinition(glob, tool))
      }),
      { numRuns: 5000 },
    )
  })

  it('R16: adversarial patterns take no longer than 50 times what plain ones of the same size take', () => {
    const tool = 'a'.repeat(2000)
    const plain = fastest({ deny: Array<string>(100).fill('b'.repeat(200)) }, tool)
    for (const piece of ['a*', '*a', 'aa*', '*', 'a*a*a*a*b*']) {
      const glob = `${piece.repeat(199 / piece.length)}b`
      expect(fastest({ deny: Array<string>(100).fill(glob) }, tool) / plain, glob).toBeLessThan(50)
    }
  })
})

describe('decidingRule', () => {
  const allow = ['a/b*', '*']
  it.each<[string, ToolRules | null, string | null, string, ReturnType<typeof decidingRule>]>([
    ['no rules', null, 's', 't', null],
    ['rules that say nothing of the tool', { deny: ['other'] }, 's', 't', null],
    ['the deny that names the tool', { allow, deny: ['x', 's/t*', 't'] }, 's', 'tt', { deny: 's/t*' }],
    ['the first pattern of allow that names the tool', { allow }, 'a', 'bc', { allow, matched: 'a/b*' }],
    ['an allow that does not name it', { allow: ['a/b'] }, 'a', 'c', { allow: ['a/b'], matched: null }],
    ['a deny for any server where none was said', { deny: ['s/t'] }, null, 't', { deny: 's/t' }],
    [
      'no allow of a server where none was said',
      { allow: ['s/t'] },
      null,
      't',
      { allow: ['s/t'], matched: null },
    ],
  ])('answers %s', (_, rules, server, tool, rule) => {
    expect(decidingRule(rules, server, tool)).toEqual(rule)
  })
})

describe('listedTools', () => {
  it('{} lets every tool through, else only its names are', () => {
    expect(listedTools('{}')).toBeNull()
    expect(listedTools('{"a":{},"b":{"x":1}}')).toEqual(new Set(['a', 'b']))
  })
})

describe('toolRulesSchema', () => {
  it.each([{}, { allow: ['a/b'] }, { deny: [] }, { allow: ['*'], deny: ['x'.repeat(200)] }])(
    'accepts %j',
    (rules) => {
      expect(toolRulesSchema.parse(rules)).toEqual(rules)
    },
  )

  it.each([
    ['an unknown member', { allows: ['a'] }],
    ['an allow that is empty', { allow: [] }],
    ['an empty pattern', { deny: [''] }],
    ['201 characters', { deny: ['x'.repeat(201)] }],
    ['101 patterns', { deny: Array<string>(101).fill('x') }],
    ['a number', { allow: [1] }],
    ['null', { allow: null }],
    ['a string', { allow: '*' }],
    ['a NUL', { deny: ['a\0'] }],
    ['a lone surrogate', { deny: ['\ud800'] }],
    ['a list', []],
  ])('R20: refuses %s', (_, rules) => {
    expect(toolRulesSchema.safeParse(rules).success).toBe(false)
  })
})

function byDefinition(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] !== '*') return text[0] === glob[0] && byDefinition(glob.slice(1), text.slice(1))
  return byDefinition(glob.slice(1), text) || (text !== '' && byDefinition(glob, text.slice(1)))
}

function fastest(rules: ToolRules, tool: string): number {
  const times = Array.from({ length: 7 }, () => {
    const start = performance.now()
    for (let round = 0; round < 20; round++) toolAllowed(rules, 'server', tool)
    return performance.now() - start
  })
  return Math.min(...times)
}
