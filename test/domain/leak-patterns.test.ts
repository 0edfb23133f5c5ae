import { readFileSync } from 'node:fs'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { makeId } from '../../src/domain/id.ts'
import { gitleaksConfig, leakExpression, trufflehogConfig } from '../../src/domain/leak-patterns.ts'
import { makeSecret } from '../../src/domain/secret.ts'

const published = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
const usual = ['mcpt', 'mcpm']

/** The expression as it stands in each published file. */
const expressions = {
  'leaks/gitleaks.toml': /^regex = '''(.*)'''$/m,
  'leaks/trufflehog.yaml': /^ {6}secret: '(.*)'$/m,
  'leaks.md': /^ {4}(\(\(\?:mcpt.*)$/m,
}

describe('the published patterns', () => {
  it('are those this program prints', () => {
    expect(published('leaks/gitleaks.toml')).toBe(gitleaksConfig(usual))
    expect(published('leaks/trufflehog.yaml')).toBe(trufflehogConfig(usual))
  })

  it.each(Object.entries(expressions))(
    '%s finds 1,000 of our secrets by RE2, and nothing that is none',
    (name, place) => {
      const [, expression = ''] = place.exec(published(name)) ?? []
      expect(expression).toBe(leakExpression(usual))
      const pattern = RE2JS.compile(expression)
      const first = (text: string) => {
        const matcher = pattern.matcher(text)
        return matcher.find() ? matcher.group(1) : undefined
      }
      for (let at = 0; at < 1_000; at++) {
        const secret = makeSecret(usual[at % 2] ?? '')
        const [before, after] = [['', '"', 'TOKEN_', '%3D', '='][at % 5], ['', '"', '\n', ' ', '&'][at % 5]]
        expect(first(`${before}${secret}${after}`)).toBe(secret)
      }
      const body = makeSecret('mcpt').slice(5)
      const none = [
        makeId('token', 1, 1, 1),
        `mcpt_${body}x`,
        `mcpt_${body.slice(1)}`,
        `MCPT_${body}`,
        `ghp_${body}`,
      ]
      for (const other of none) expect(first(other)).toBeUndefined()
    },
  )

  it('names the prefixes of an instance that has others', () => {
    const own = makeSecret('acme')
    expect(
      RE2JS.compile(leakExpression(['mcpt', 'acme']))
        .matcher(own)
        .find(),
    ).toBe(true)
    expect(gitleaksConfig(['acme'])).toContain('keywords = ["acme_"]')
    expect(trufflehogConfig(['acme'])).toContain('- acme_')
  })
})
