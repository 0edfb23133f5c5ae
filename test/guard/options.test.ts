import { describe, expect, it } from 'vitest'
import {
  authorizer,
  expressGuard,
  type GuardOptions,
  honoGuard,
  nodeGuard,
  tokenVerifier,
} from '../../src/guard/index.ts'

describe('the options of a guard', () => {
  const good: GuardOptions = { url: 'https://tokens.example.com', key: 'mcpm_key', server: 'weather' }
  const makers: [string, (options: GuardOptions) => unknown][] = [
    ['nodeGuard', nodeGuard],
    ['expressGuard', expressGuard],
    ['honoGuard', honoGuard],
    ['authorizer', authorizer],
    ['tokenVerifier', (options) => tokenVerifier({ ...options, errors: { OAuthError: Error as never } })],
  ]

  it.each(makers)('%s refuses to be made from what is missing or out of bounds', (_, make) => {
    make(good)
    make({ ...good, cacheMs: 1, timeoutMs: 1 })
    make({ ...good, cacheMs: 1_000, timeoutMs: 60_000 })
    const types: [string, unknown[]][] = [
      [
        'url',
        [
          undefined,
          '',
          'tokens.example.com',
          '/x',
          'ftp://x',
          'https://a:b@x',
          'https://x?y=1',
          'https://x#y',
          7,
        ],
      ],
      ['key', [undefined, '', ' ', 'a b', 'x\n', 'é', 'x'.repeat(513), 7]],
      ['server', [undefined, '', 'a b', 'x'.repeat(201), null, 7]],
    ]
    for (const [name, values] of types) {
      for (const value of values) {
        const bad = { ...good, [name]: value } as GuardOptions
        expect(() => make(bad)).toThrow(TypeError)
        expect(() => make(bad)).toThrow(`${name}:`)
      }
    }
    const numbers = [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null]
    for (const value of [...numbers, 1_001]) {
      expect(() => make({ ...good, cacheMs: value as number })).toThrow(RangeError)
    }
    for (const value of [...numbers, 60_001]) {
      expect(() => make({ ...good, timeoutMs: value as number })).toThrow(RangeError)
    }
  })

  it('what they refuse is not repeated, because it may be a key', () => {
    expect(() => authorizer({ ...good, key: 'mcpm_secret with blanks' })).not.toThrow('secret')
    expect(() => authorizer({ ...good, url: 'mcpm_secret' })).not.toThrow('secret')
  })
})
