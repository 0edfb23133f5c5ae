import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PolicyFacts, policyOf, violationsOf } from '../../src/domain/policy.ts'
import {
  defaultSettings,
  deliveryKinds,
  type Policy,
  type ProjectPolicy,
  policySchema,
} from '../../src/domain/settings.ts'

const now = '2026-03-01T12:00:00.000Z'
const bound = fc.option(fc.integer({ min: 1, max: 400 }), { nil: null })
const kinds = fc.subarray([...deliveryKinds], { minLength: 1 })
const members = {
  max_lifetime_days: bound,
  require_expiry: fc.boolean(),
  require_allowed_ips: fc.boolean(),
  max_live_tokens_per_owner: bound,
  delivery_kinds: kinds,
  dormant_days: bound,
}
const instances: fc.Arbitrary<Policy> = fc.record(members)
const projects: fc.Arbitrary<ProjectPolicy | null> = fc.option(
  fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<ProjectPolicy>,
  { nil: null },
)
const times = fc
  .integer({ min: -500, max: 500 })
  .map((days) => new Date(Date.parse(now) + days * 86_400_000).toISOString())
const past = times.filter((at) => at <= now)
const some = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const facts: fc.Arbitrary<PolicyFacts> = fc.record({
  expires_at: some(times),
  allowed_ips: some(fc.constant('["10.0.0.1"]')),
  created_at: past,
  last_used_at: some(past),
  enabled_at: some(past),
  rotated_at: some(past),
  not_before: some(times),
})
const rulesOf = (token: PolicyFacts, policy: Policy) =>
  violationsOf(token, policy, now).map(({ rule }) => rule)
const open = policySchema.strip().parse(defaultSettings)

describe('the policy of a project', () => {
  it('can only narrow: whatever it says, no token that breaks the policy of the instance is within both', () => {
    fc.assert(
      fc.property(instances, projects, facts, (instance, project, token) => {
        const both = policyOf(instance, project)
        expect(rulesOf(token, both)).toEqual(expect.arrayContaining(rulesOf(token, instance)))
        expect(instance.delivery_kinds).toEqual(expect.arrayContaining(both.delivery_kinds))
        const most = instance.max_live_tokens_per_owner ?? Infinity
        expect(both.max_live_tokens_per_owner ?? Infinity).toBeLessThanOrEqual(most)
      }),
    )
  })

  it('holds as well: no token that breaks it is within both, wherever the instance is more lenient', () => {
    fc.assert(
      fc.property(instances, projects, facts, (instance, project, token) => {
        const alone = policyOf(open, project)
        const both = policyOf(instance, project)
        expect(rulesOf(token, both)).toEqual(expect.arrayContaining(rulesOf(token, alone)))
        expect(alone.delivery_kinds).toEqual(expect.arrayContaining(both.delivery_kinds))
      }),
    )
  })

  it('says nothing where it is none, empty or null, and to apply it twice is to apply it once', () => {
    fc.assert(
      fc.property(instances, projects, (instance, project) => {
        for (const silent of [null, {}, { max_lifetime_days: null, dormant_days: null }])
          expect(policyOf(instance, silent)).toEqual(instance)
        const once = policyOf(instance, project)
        expect(policyOf(once, project)).toEqual(once)
      }),
    )
  })
})

describe('a violation', () => {
  const token: PolicyFacts = {
    expires_at: null,
    allowed_ips: null,
    created_at: '2026-01-01T00:00:00.000Z',
    last_used_at: null,
    enabled_at: null,
    rotated_at: null,
    not_before: null,
  }

  it('of each rule is told alone and together; without a policy there is none', () => {
    expect(rulesOf(token, open)).toEqual([])
    for (const [rule, value] of Object.entries({
      max_lifetime_days: 10,
      require_expiry: true,
      require_allowed_ips: true,
      dormant_days: 30,
    }))
      expect(rulesOf(token, { ...open, [rule]: value })).toEqual([rule])
    const all = { max_lifetime_days: 1, require_expiry: true, require_allowed_ips: true, dormant_days: 1 }
    expect(rulesOf(token, { ...open, ...all })).toHaveLength(4)
  })

  it('begins one millisecond behind the longest lifetime, and at the last moment of dormancy', () => {
    const ends = (expires_at: string) => rulesOf({ ...token, expires_at }, { ...open, max_lifetime_days: 10 })
    expect(ends('2026-03-11T12:00:00.000Z')).toEqual([])
    expect(ends('2026-03-11T12:00:00.001Z')).toEqual(['max_lifetime_days'])
    for (const member of ['last_used_at', 'enabled_at', 'rotated_at', 'not_before'] as const) {
      const woken = (at: string) => rulesOf({ ...token, [member]: at }, { ...open, dormant_days: 10 })
      expect(woken('2026-02-19T12:00:00.000Z')).toEqual(['dormant_days'])
      expect(woken('2026-02-19T12:00:00.001Z')).toEqual([])
    }
  })
})
