import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeSecret } from '../../src/domain/secret.ts'
import { makeSecretScan } from '../../src/domain/secret-scan.ts'
import { liveHeap } from '../support/heap.ts'

const prefixes = ['mcpt', 'mcpm']

/** What a scan finds in these pieces, one after the other. */
function scanned(pieces: (string | Buffer)[], words = prefixes) {
  const scan = makeSecretScan(words)
  return pieces.flatMap((piece) => scan.push(Buffer.from(piece)))
}

describe('finding secrets in bytes', () => {
  it('finds a secret wherever its pieces are cut, once, and on its line', () => {
    const secret = makeSecret('mcpt')
    const text = `one\ntwo\nexport TOKEN=${secret}; x\nfour ${makeSecret('other')}\n`
    for (let cut = 0; cut <= text.length; cut++)
      expect(scanned([text.slice(0, cut), text.slice(cut)])).toEqual([{ secret, line: 3 }])
    expect(scanned([...text])).toEqual([{ secret, line: 3 }])
  })

  it('any text in any pieces comes to the same as in one', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('\n', '\r\n', 'mcpt_', 'mcpm_mcpt_'),
      fc.nat().map(() => makeSecret('mcpt')),
      fc.nat().map(() => makeSecret('mcpm').slice(0, 40)),
    )
    fc.assert(
      fc.property(
        fc.array(part),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        (parts, cuts) => {
          const bytes = Buffer.from(parts.join(''))
          const pieces: Buffer[] = []
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const size = cuts[n % cuts.length] ?? 1
            pieces.push(bytes.subarray(at, at + size))
            at += size
          }
          expect(scanned(pieces).map(({ secret }) => secret)).toEqual(
            scanned([bytes]).map(({ secret }) => secret),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('whatever stands around it does not hide it, and secrets side by side are two', () => {
    const [one, two] = [makeSecret('mcpt'), makeSecret('mcpm')]
    for (const around of [`x${one}y`, `%3D${one}`, `TOKEN_${one}_`, `"${one}"`, `é${one}é`, `${one}${one}`])
      expect(scanned([around])[0]?.secret).toBe(one)
    expect(scanned([`${one}${two}`]).map(({ secret }) => secret)).toEqual([one, two])
    expect(scanned([`mcpt_mcpt_${one}`]).map(({ secret }) => secret)).toEqual([one])
  })

  it('what has no good checksum or another prefix is none', () => {
    const secret = makeSecret('mcpt')
    const flipped = secret.slice(0, -1) + (secret.endsWith('a') ? 'b' : 'a')
    expect(
      scanned([flipped, ' ', secret.slice(0, -1), ' ', secret.toUpperCase(), makeSecret('once')]),
    ).toEqual([])
    expect(scanned([makeSecret('acme')], ['acme'])).toHaveLength(1)
  })

  it('a prefix that is the end of another is found as well', () => {
    const secret = makeSecret('pt')
    expect(scanned([`mc${secret}`], ['pt', 'mcpt'])).toEqual([{ secret, line: 1 }])
  })

  it('UTF-16 and other bytes with NUL are read; they have no lines', () => {
    const secret = makeSecret('mcpt')
    const wide = Buffer.from(`a\nb ${secret}`, 'utf16le')
    for (const bytes of [
      wide,
      Buffer.from(wide).swap16(),
      Buffer.concat([randomBytes(99), Buffer.from(`\0${secret}\0`)]),
    ])
      expect(scanned([bytes])).toEqual([{ secret, line: null }])
    expect(scanned([wide.subarray(0, 51), wide.subarray(51)])).toEqual([{ secret, line: null }])
  })

  it('a line of 50 MB costs no memory beyond the piece at hand', () => {
    const scan = makeSecretScan(prefixes)
    const piece = Buffer.alloc(1024 * 1024, 'x')
    const before = liveHeap()
    for (let at = 0; at < 50; at++) expect(scan.push(piece)).toEqual([])
    expect(liveHeap() - before).toBeLessThan(3 * 1024 * 1024)
    const secret = makeSecret('mcpt')
    expect(scan.push(Buffer.from(`\n${secret}`))).toEqual([{ secret, line: 2 }])
  })
})
