import { describe, expect, it } from 'vitest'
import { ago, summaryOf, type ToldChange, warningsOf } from '../../src/domain/told-change.ts'

const standing = {
  verdict: 'valid' as const,
  from_there: 'valid' as const,
  expires_at: null,
  all_servers: false,
  tool_rules: null,
  limits: 'null',
}
const told = (more: Partial<ToldChange>): ToldChange => ({
  change: 'update',
  of: 'token',
  refused: null,
  changed: true,
  lost: 0,
  gained: 0,
  kept: 1,
  hit: 0,
  used: null,
  predecessor_until: null,
  before: standing,
  after: standing,
  ...more,
})

describe('what a change would do, in words', () => {
  it.each([
    [0, '0 s ago'],
    [59, '59 s ago'],
    [60, '1 min ago'],
    [3_599, '59 min ago'],
    [7_200, '2 h ago'],
    [86_400, '1 day ago'],
    [864_000, '10 days ago'],
  ])('%i seconds are told as %s', (seconds, text) => {
    expect(ago(seconds)).toBe(text)
  })

  it.each<[Partial<ToldChange>, string]>([
    [{ lost: 1 }, 'Updating hits 1 server; never used.'],
    [{ gained: 2 }, 'Updating opens 2 servers; never used.'],
    [
      { lost: 2, gained: 1, used: { seconds: 90, ip: null } },
      'Updating hits 2 servers and opens 1 server; last used 1 min ago.',
    ],
    [{ change: 'enable' }, 'Enabling changes no reach; never used.'],
    [{ change: 'remove_groups', lost: 3 }, 'Taking out of the groups hits 3 servers; never used.'],
    [
      { change: 'delete', of: 'server', hit: 2, lost: 1 },
      'Deleting the server takes 2 tokens off 1 server; never used.',
    ],
    [{ refused: 'The token is revoked.', lost: 0 }, 'Refused: The token is revoked.'],
  ])('sums up %j', (more, sentence) => {
    expect(summaryOf(told(more))).toBe(sentence)
  })

  it('warns of nothing where nothing is lost, and says nothing of a change that is refused', () => {
    const used = { seconds: 5, ip: '10.0.0.1' }
    expect(warningsOf(told({ gained: 3, used }))).toEqual([])
    expect(warningsOf(told({ change: 'revoke', lost: 3, used, refused: 'No.' }))).toEqual([])
  })

  it('tells who is on a secret that works again, and why a token that is no good reaches nothing', () => {
    const off = { ...standing, verdict: 'disabled' as const }
    expect(warningsOf(told({ change: 'enable', gained: 1, kept: 0, before: off }))).toEqual([
      'Its secret works again, whoever has it.',
    ])
    expect(warningsOf(told({ kept: 0, before: off, after: off }))).toEqual([
      'The token is disabled. It reaches nothing before and after.',
    ])
  })
})
