import { describe, expect, it } from 'vitest'
import { blockNames, guardrailPolicy, storedPolicy } from '../../src/domain/guardrail-policy.ts'
import { verifies } from '../support/verifies.ts'

const off = { enabled: false, policy_name: '', additional_config: {}, block: [] }

describe('guardrail policies', () => {
  it(`${verifies('enkrypt:guardrails:policy:defaults')} missing members are off, and the two of the seed are enough`, () => {
    expect(guardrailPolicy.parse({})).toEqual(off)
    expect(guardrailPolicy.parse({ enabled: true, policy_name: 'Sample Policy' })).toEqual({
      ...off,
      enabled: true,
      policy_name: 'Sample Policy',
    })
    expect(storedPolicy('{}')).toEqual(off)
    expect(storedPolicy('{"block":["pii"]}')).toEqual({ ...off, block: ['pii'] })
  })

  it('keeps what the seed sets, and every name that can be blocked', () => {
    const policy = {
      enabled: true,
      policy_name: 'Input Guardrail Policy',
      additional_config: { pii_redaction: true, keywords: ['a', 'b'], patterns: ['c+'] },
      block: [...blockNames],
    }
    expect(guardrailPolicy.parse(policy)).toEqual(policy)
    expect(blockNames).toEqual([
      'policy_violation',
      'injection_attack',
      'pii',
      'secrets',
      'keyword',
      'regex',
      'size',
    ])
  })

  it.each([
    [{ enabled: true, block: ['policy_violation', 'injection_attack', 'size'] }],
    [{ enabled: false, block: ['keyword', 'regex'] }],
    [{ enabled: true, block: ['keyword'], additional_config: { keywords: ['a'] } }],
    [{ additional_config: { pii_redaction: true, pii_restore: false, max_bytes: 1 } }],
    [{ additional_config: { keywords: [], patterns: ['(?i)\\bx{2,3}\\b', '\\p{Greek}'] } }],
    [{ additional_config: { provider: 'x', nested: { deep: [1, null] }, threshold: 0.5 } }],
  ])('accepts %j', (policy) => {
    expect(guardrailPolicy.parse(policy)).toEqual({ ...off, ...policy })
  })

  it.each([
    [{ keywords: 'a' }, 'keywords'],
    [{ keywords: ['a', 5] }, 'keywords.1'],
    [{ keywords: ['a', ''] }, 'keywords.1'],
    [{ keywords: [' \u200b'] }, 'keywords.0'],
    [{ keywords: ['x'.repeat(201)] }, 'keywords.0'],
    [{ keywords: Array(101).fill('a') }, 'keywords'],
    [{ patterns: { 0: 'a' } }, 'patterns'],
    [{ patterns: ['a', 'b', '('] }, 'patterns.2'],
    [{ patterns: ['(a)\\1'] }, 'patterns.0'],
    [{ patterns: ['(?=a)'] }, 'patterns.0'],
    [{ patterns: [''] }, 'patterns.0'],
    [{ patterns: ['(a{30}){34}'] }, 'patterns.0'],
    [{ patterns: ['a'.repeat(501)] }, 'patterns.0'],
    [{ patterns: Array(51).fill('a') }, 'patterns'],
    [{ max_bytes: 0 }, 'max_bytes'],
    [{ max_bytes: 1.5 }, 'max_bytes'],
    [{ max_bytes: '1' }, 'max_bytes'],
    [{ pii_restore: 1 }, 'pii_restore'],
    [{ pii_redaction: null }, 'pii_redaction'],
  ])('names what is wrong in additional_config %j', (additional_config, place) => {
    const { error } = guardrailPolicy.safeParse({ additional_config })
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([`additional_config.${place}`])
    expect(error?.issues[0]?.message).not.toContain('(a')
  })

  it.each([
    ['keyword', 'keywords', {}],
    ['keyword', 'keywords', { keywords: [], patterns: ['a'] }],
    ['regex', 'patterns', {}],
    ['regex', 'patterns', { keywords: ['a'], patterns: [] }],
  ])(
    'refuses %s in block of a policy that is on where nothing stands in %s: it would protect nothing',
    (name, list, config) => {
      const policy = { enabled: true, block: ['pii', name], additional_config: config }
      expect(guardrailPolicy.safeParse(policy).error?.issues).toMatchObject([
        { path: ['additional_config', list], message: `must not be empty where block names ${name}` },
      ])
    },
  )

  it.each([
    [{ block: ['toxicity'] }],
    [{ block: ['PII'] }],
    [{ block: 'pii' }],
    [{ block: [null] }],
    [{ enabled: 'true' }],
    [{ enabled: null }],
    [{ policy_name: 5 }],
    [{ policy_name: 'a\u202eb' }],
    [{ policy_name: 'x'.repeat(201) }],
    [{ additional_config: [] }],
    [{ additional_config: { pii_redaction: 'yes' } }],
    [{ additional_config: { keywords: 'x'.repeat(65_536) } }],
    [{ pii_redaction: true }],
    [{ policy: {} }],
    [[]],
    [null],
    ['off'],
  ])('refuses %j', (policy) => {
    expect(guardrailPolicy.safeParse(policy).success).toBe(false)
  })
})
