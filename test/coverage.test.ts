import { describe, expect, it } from 'vitest'
import coverage from './coverage.json' with { type: 'json' }
import { allCited, citedIn, coverageProblems } from './support/coverage.ts'
import { contracts, readContract, verifies } from './support/verifies.ts'

const sample = readContract(
  'sample.md',
  'Words.\n- `sample:a:b:one` — One.\n- `sample:a:b:two` **[gateway]** — Two.\n  It names `sample:a:b:other` in passing.\n',
)

describe('requirement coverage', () => {
  it('every requirement of a contract is cited by a test or its file is pending, and every cited id exists', () => {
    expect(
      coverageProblems(contracts, allCited(new URL('.', import.meta.url).pathname), coverage.pending),
    ).toEqual([])
  })

  it('all four contracts are read, each with its requirements', () => {
    expect(contracts.map((contract) => contract.file)).toEqual([
      'enkrypt.md',
      'gassapi.md',
      'mctx.md',
      'metorial.md',
    ])
    for (const contract of contracts) expect(contract.ids.size).toBeGreaterThan(40)
    expect(contracts.flatMap((contract) => [...contract.gateway])).toContain(
      'metorial:tokens:create:opens-servers',
    )
  })

  it('ids are read where they are stated, with their gateway mark, and not where they are mentioned', () => {
    expect([...sample.ids]).toEqual(['sample:a:b:one', 'sample:a:b:two'])
    expect([...sample.gateway]).toEqual(['sample:a:b:two'])
  })

  it.each([
    [
      'an unknown id',
      ['sample:a:b:one', 'sample:a:b:none'],
      [],
      ['sample:a:b:none: cited, but no contract states it'],
    ],
    [
      'an unknown id of a pending file',
      ['sample:a:b:none'],
      ['sample.md'],
      ['sample:a:b:none: cited, but no contract states it'],
    ],
    ['an uncited id', [], [], ['sample:a:b:one: no test cites it']],
    [
      'a pending file that is all cited',
      ['sample:a:b:one'],
      ['sample.md'],
      ['sample.md: every id is cited; take it off the pending list'],
    ],
    [
      'a pending file that does not exist',
      ['sample:a:b:one'],
      ['gone.md'],
      ['gone.md: pending, but there is no such contract'],
    ],
    ['nothing wrong: cited but for the gateway', ['sample:a:b:one'], [], []],
    ['nothing wrong: pending', [], ['sample.md'], []],
  ])('the check tells: %s', (_, cited, pending, problems) => {
    expect(coverageProblems([sample], cited, pending)).toEqual(problems)
  })

  it('citations are found in calls of verifies, and a computed one is an unknown id', () => {
    const text =
      "it(verifies('sample:a:b:one', 'sample:a:b:two') + ' x', f); it(verifies(`sample:${x}`), f); // verifies('no')"
    expect(citedIn('a.test.ts', text)).toEqual([
      'sample:a:b:one',
      'sample:a:b:two',
      'not a plain string in a.test.ts',
    ])
  })

  it('citing an id that no contract states stops the file', () => {
    // Under another name, so that these two are not counted as citations.
    const cite = verifies
    expect(cite('metorial:auth:header:bearer')).toBe('[metorial:auth:header:bearer]')
    expect(() => cite('metorial:auth:header:nonsense')).toThrow('no contract states')
  })
})
