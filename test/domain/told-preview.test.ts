import { describe, expect, it } from 'vitest'
import { previewSummary, questionOf, quoted, type ToldPreview } from '../../src/domain/told-preview.ts'

const told: ToldPreview = {
  title: 'Revoke a token',
  name: 'ci',
  id: 'mgtk_1',
  hit: 1,
  lost: ['weather', 'git', 'mail'],
  revoked: 0,
  renewed: 0,
  refused: 0,
  nothing: false,
  names: ['ci'],
  atLeast: false,
  used: { seconds: 125, ip: '10.0.0.5' },
}

describe('what a change that has to be confirmed would do', () => {
  it('is told with what is lost and the last use, to the minute', () => {
    expect(previewSummary(told)).toBe(
      'Revoke a token: "ci" (mgtk_1). 1 token loses 3 servers ("weather", "git", "mail"). Last used 2 min ago from 10.0.0.5.',
    )
  })

  it('is asked in words that do not change while nothing does', () => {
    const at = (seconds: number) => questionOf({ ...told, used: { seconds, ip: '10.0.0.5' } })
    expect(at(125)).toBe(at(3_000))
    expect(at(125)).toMatch(/Last used within the last hour\.$/)
    expect(at(7_300)).toMatch(/Last used 2 h ago from 10\.0\.0\.5\.$/)
  })

  it('counts many, names few, and says when not everything was looked at', () => {
    const names = Array.from({ length: 7 }, (_, at) => `t${at}`)
    const many = {
      ...told,
      title: 'Delete a user',
      hit: 7,
      lost: ['a'],
      revoked: 7,
      names,
      atLeast: true,
      used: null,
    }
    expect(previewSummary(many)).toBe(
      'Delete a user: "ci" (mgtk_1). At least 7 tokens lose 1 server ("a"). 7 tokens are revoked ("t0", "t1", "t2", "t3", "t4" and 2 more). Never used.',
    )
    expect(previewSummary({ ...told, hit: 0, lost: [], used: undefined, name: null, id: null })).toBe(
      'Revoke a token. No token loses a server.',
    )
  })

  it('says how many are refused, and that there is nothing to do', () => {
    const rotation = { ...told, title: 'Rotate', name: null, id: null, hit: 0, lost: [], used: null }
    expect(previewSummary({ ...rotation, renewed: 1, refused: 2 })).toBe(
      'Rotate. No token loses a server. 1 token gets a new secret ("ci"). 2 tokens are refused and stay as before. Never used.',
    )
    expect(previewSummary({ ...rotation, names: [], nothing: true, used: undefined })).toBe(
      'Rotate. No token matches, so nothing would be changed.',
    )
  })

  it('R11: names are text of others: nothing in them ends the quotes, breaks the line, turns it, or goes on for long', () => {
    expect(quoted('a" and then\n\u202Eall\u0007 of it')).toBe(`"a' and then all of it"`)
    expect(quoted('a” is kept. «b» ＂c')).toBe(`"a' is kept. 'b' 'c"`)
    expect(quoted('![x](http://a.b/c) `d` <e>')).toBe(`"![x] (http://a.b/c) 'd' ‹e›"`)
    expect(quoted('x'.repeat(200))).toBe(`"${'x'.repeat(59)}…"`)
    expect([...quoted('😀'.repeat(200))]).toHaveLength(62)
  })
})
