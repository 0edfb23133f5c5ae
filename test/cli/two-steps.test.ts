import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './bin.ts'

interface Preview {
  preview: { summary: string; tokens_hit: { count: number }; confirm: string }
}

describe('commands on many tokens', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin.remove())

  const make = async (name: string) =>
    (await bin.json<{ token: { id: string } }>(['create-token', '--name', name])).token.id
  const statusOf = async (id: string) =>
    (await bin.json<{ token: { status: string } }>(['get-token', '--token-id', id])).token.status
  const dryRun = async (...args: string[]) => (await bin.json<Preview>([...args, '--dry-run'])).preview

  it('a dry run prints what would happen and the confirm that does exactly that', async () => {
    const [one, two] = [await make('old a'), await make('old b')]
    const { confirm, summary, tokens_hit } = await dryRun('revoke-tokens', '--text', 'old')
    expect(summary).toMatch(/2 tokens are revoked/)
    expect([confirm, tokens_hit.count]).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), 2])
    expect(await statusOf(one)).toBe('active')
    expect(await bin.json(['revoke-tokens', '--text', 'old', '--confirm', confirm])).toMatchObject({
      revoked: 2,
    })
    expect([await statusOf(one), await statusOf(two)]).toEqual(['revoked', 'revoked'])
  })

  it('a confirm that holds no more ends with 6 and changes nothing, and so does a call without one', async () => {
    const id = await make('late a')
    const { confirm } = await dryRun('revoke-tokens', '--text', 'late')
    await make('late b')
    const stale = await bin.run(['revoke-tokens', '--text', 'late', '--confirm', confirm])
    expect([stale.code, stale.stdout]).toEqual([6, ''])
    expect(stale.stderr).toMatch(
      /^tokenwright: Nothing was changed: the confirm is not of this call as things stand now\./,
    )
    const bare = await bin.run(['revoke-tokens', '--text', 'late'])
    expect([bare.code, bare.stderr]).toEqual([
      6,
      'tokenwright: Nothing was changed. Add --dry-run to see what would happen, then --confirm with the confirm that it answers instead.\n',
    ])
    expect(await statusOf(id)).toBe('active')
  })

  it('tokens whose secret is old are counted first as well, and none that matches is said in words', async () => {
    const { summary, tokens_hit } = await dryRun('rotate-due-tokens', '--older-than-days', '1')
    expect([summary, tokens_hit.count]).toEqual([
      'Rotate tokens with old secrets. No token matches, so nothing would be changed.',
      0,
    ])
    const both = await bin.run(['revoke-tokens', '--text', 'x', '--dry-run', '--confirm', '0123456789abcdef'])
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('only one of them')])
  })

  it('what destroys one thing takes --yes as ever, and no flag of the two steps', async () => {
    const id = await make('single')
    const unknown = await bin.run(['revoke-token', '--token-id', id, '--dry-run'])
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("Unknown option '--dry-run'")])
    expect((await bin.run(['revoke-token', '--token-id', id])).code).toBe(2)
    expect(await statusOf(id)).toBe('active')
    expect(await bin.json(['revoke-token', '--token-id', id, '--yes'])).toMatchObject({ changed: true })
  })
})
