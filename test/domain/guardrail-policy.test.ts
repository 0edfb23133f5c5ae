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
