import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../src/domain/public-address.ts'

/** First and last address of what is not public, written out from the special-purpose registries of IANA. */
const closed4: [string, string][] = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['168.63.129.16', '168.63.129.16'],
  ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '255.255.255.255'],
]

const number4 = (ip: string) => ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
const text4 = (n: number) => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.')
const hex4 = (ip: string) => {
  const n = number4(ip)
  return `${Math.floor(n / 65_536).toString(16)}:${(n % 65_536).toString(16)}`
}
const reference4 = (n: number) => !closed4.some(([first, last]) => n >= number4(first) && n <= number4(last))

const table6: [string, boolean][] = [
  ['::', false],
  ['::1', false],
  ['0:0:0:0:0:0:0:1', false],
  ['::2', false],
  ['::8.8.8.8', false],
  ['::127.0.0.1', false],
  ['::7f00:1', false],
  ['::ffff:127.0.0.1', false],
  ['::FFFF:7F00:1', false],
  ['0:0:0:0:0:ffff:a9fe:a9fe', false],
  ['::ffff:8.8.8.8', true],
  ['::ffff:808:808', true],
  ['64:ff9b::127.0.0.1', false],
  ['64:ff9b::7f00:1', false],
  ['64:ff9b::', false],
  ['64:ff9b::1', false],
  ['64:ff9b::a00:1', false],
  ['64:ff9b::8.8.8.8', true],
  ['64:ff9b:0:0:0:0:808:808', true],
  ['64:ff9b:1::8.8.8.8', false],
  ['64:ff9b:1:ffff:ffff:ffff:ffff:ffff', false],
  ['64:ff9b:0:1::808:808', false],
  ['100::1', false],
  ['1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', false],
  ['2000::', true],
  ['2001::1', false],
  ['2001:0:7f00:1::', false],
  ['2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', false],
  ['2001:200::', true],
  ['2001:db7:ffff::1', true],
  ['2001:db8::1', false],
  ['2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', false],
  ['2001:db9::', true],
  ['2001:4860:4860::8888', true],
  ['2002:7f00:1::', false],
  ['2002:808:808::1', false],
  ['2003::1', true],
  ['2606:4700:4700::1111', true],
  ['3ffe:ffff::1', true],
  ['3fff::1', false],
  ['3fff:fff:ffff::1', false],
  ['3fff:1000::', true],
  ['4000::', false],
  ['5f00::1', false],
  ['fbff::1', false],
  ['fc00::1', false],
  ['fd12:3456::1', false],
  ['fdff:ffff::1', false],
  ['fe00::1', false],
  ['fe80::1', false],
  ['fe80::1%eth0', false],
  ['febf::1', false],
  ['fec0::1', false],
  ['feff::1', false],
  ['ff00::', false],
  ['ff02::1', false],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', false],
]

describe('R36: isPublicAddress', () => {
  it.each(closed4)('R36: is false from %s to %s, and true on both sides of it', (first, last) => {
    expect([first, last].map(isPublicAddress)).toEqual([false, false])
    const before = number4(first) - 1
    const after = number4(last) + 1
    if (before >= 0) expect(isPublicAddress(text4(before))).toBe(reference4(before))
    if (after < 2 ** 32) expect(isPublicAddress(text4(after))).toBe(reference4(after))
  })

  it('R36: agrees with the list on any v4 address, also mapped into v6 and translated by NAT64', () => {
    const near = fc
      .tuple(fc.constantFrom(...closed4.flat()), fc.integer({ min: -300, max: 300 }))
      .map(([ip, off]) => Math.min(2 ** 32 - 1, Math.max(0, number4(ip) + off)))
    fc.assert(
      fc.property(fc.oneof(near, fc.integer({ min: 0, max: 2 ** 32 - 1 })), (n) => {
        const ip = text4(n)
        const wanted = reference4(n)
        expect(
          [ip, `::ffff:${hex4(ip)}`, `::ffff:${ip}`, `64:ff9b::${hex4(ip)}`].map(isPublicAddress),
        ).toEqual([wanted, wanted, wanted, wanted])
      }),
      { numRuns: 2_000 },
    )
  })

  it.each(table6)('R36: of %s is %s', (ip, wanted) => {
    expect(isPublicAddress(ip)).toBe(wanted)
  })

  it.each([
    '',
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '8.8.8.8/32',
    '[::1]',
    '8.8.8.8 ',
    '08.8.8.8',
  ])('R36: takes "%s" for no address at all', (text) => {
    expect(isPublicAddress(text)).toBe(false)
  })
})
