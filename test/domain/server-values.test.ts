import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  fingerprintPattern,
  headerProblem,
  valueFingerprint,
  variableProblem,
} from '../../src/domain/server-values.ts'

const key = Buffer.alloc(32, 7)

describe('R37: fingerprints of values', () => {
  it('R37: are fp_ and 16 base62 characters, the same for the same value under the same name', () => {
    for (let n = 0; n < 500; n++) {
      const value = randomBytes(n % 40).toString('latin1')
      const print = valueFingerprint(key, 'env', 'NAME', value)
      expect(print).toMatch(fingerprintPattern)
      expect(valueFingerprint(Buffer.from(key), 'env', 'NAME', value)).toBe(print)
    }
  })

  it('R37: differ by key, side, name and value, wherever one ends and the other begins', () => {
    const prints = [
      valueFingerprint(key, 'env', 'NAME', 'value'),
      valueFingerprint(Buffer.alloc(32, 8), 'env', 'NAME', 'value'),
      valueFingerprint(key, 'headers', 'NAME', 'value'),
      valueFingerprint(key, 'env', 'NAMEv', 'alue'),
      valueFingerprint(key, 'env', 'NAME', 'value '),
      valueFingerprint(key, 'env', 'NAME', ''),
    ]
    expect(new Set(prints).size).toBe(prints.length)
  })
})

describe('R34: names of variables and headers', () => {
  it.each([
    'LD_PRELOAD',
    'LD_X',
    'DYLD_INSERT_LIBRARIES',
    'NODE_OPTIONS',
    'PATH',
    'Path',
    'PYTHONPATH',
    'PYTHON',
    'pythonstartup',
    'TOKENWRIGHT_SECRET',
    '',
    '1A',
    'A B',
    'A=B',
    'A\n',
    'x'.repeat(201),
  ])('R34: %j is no variable of a server', (name) => {
    expect(variableProblem(name)).toBeTruthy()
  })

  it.each(['GITHUB_TOKEN', 'PATH_TO_FILE', 'MY_PATH', 'NODE_ENV', 'OLD_X', '_', 'a.b-c', 'x'.repeat(200)])(
    '%j is one',
    (name) => {
      expect(variableProblem(name)).toBeUndefined()
    },
  )

  it.each(['', 'a b', 'a:b', 'a\r\nb', 'ä', 'Host', 'content-length', 'Transfer-Encoding', 'Connection'])(
    '%j is no header that can be set',
    (name) => {
      expect(headerProblem(name)).toBeTruthy()
    },
  )

  it.each(['Authorization', 'X-Api-Key', 'x_y.z'])('%j is one', (name) => {
    expect(headerProblem(name)).toBeUndefined()
  })
})
