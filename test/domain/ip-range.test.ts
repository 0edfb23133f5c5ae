import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  admittingRange,
  canonicalIp,
  ipAllowed,
  parseRange,
  rangesWithin,
} from '../../src/domain/ip-range.ts'

describe('R28: ipAllowed', () => {
  // Worked out by hand: 40 address × range pairs.
  const table: [string, string, boolean][] = [
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.4', '10.1.2.3', false],
    ['10.0.0.0', '10.0.0.0/8', true],
    ['10.255.255.255', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['9.255.255.255', '10.0.0.0/8', false],
    ['172.16.0.1', '172.16.0.0/12', true],
    ['172.31.255.254', '172.16.0.0/12', true],
    ['172.32.0.0', '172.16.0.0/12', false],
    ['192.168.1.129', '192.168.1.128/25', true],
    ['192.168.1.127', '192.168.1.128/25', false],
    ['203.0.113.6', '203.0.113.6/31', true],
    ['203.0.113.7', '203.0.113.6/31', true],
    ['203.0.113.8', '203.0.113.6/31', false],
    ['203.0.113.7', '203.0.113.7/32', true],
    ['127.255.255.255', '0.0.0.0/1', true],
    ['128.0.0.0', '0.0.0.0/1', false],
    ['255.255.255.255', '128.0.0.0/1', true],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['::ffff:a01:203', '10.0.0.0/8', true],
    ['::FFFF:7F00:1', '127.0.0.1', true],
    ['0:0:0:0:0:ffff:7f00:1', '127.0.0.1', true],
    ['::ffff:11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '::ffff:10.1.2.3', true],
    ['10.1.2.3', '::ffff:10.0.0.0/104', true],
    ['11.1.2.3', '::ffff:10.0.0.0/104', false],
    ['::10.1.2.3', '10.1.2.3', false],
    ['64:ff9b::10.1.2.3', '10.1.2.3', false],
    ['10.1.2.3', '::/1', false],
    ['::ffff:10.1.2.3', '::/64', false],
    ['::1', '::1', true],
    ['0:0:0:0:0:0:0:1', '::1', true],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:DB8:FFFF:ffff:ffff:ffff:ffff:ffff', '2001:db8::/32', true],
    ['2001:db9::', '2001:db8::/32', false],
    ['2001:db8:0:1::', '2001:db8::/64', false],
    ['2001:db8::2', '2001:db8::1/128', false],
    ['fe80::1', 'fe80::/10', true],
    ['fec0::1', 'fe80::/10', false],
    ['fe80::1%eth0', 'fe80::/10', false],
  ]

  it('R28: has a table of 40 pairs', () => {
    expect(table).toHaveLength(40)
  })

  it.each(table)('R28: %s in %s is %s', (ip, range, allowed) => {
    expect(parseRange(range)).toHaveProperty('range')
    expect(ipAllowed([range], ip)).toBe(allowed)
  })

  it('R28: agrees with an independent reference on random addresses and ranges of both families', () => {
    fc.assert(
      fc.property(pair(), ({ size, base, prefix, address, text, range }) => {
        const inside = address >= base && address < base + 2n ** BigInt(size - prefix)
        expect(ipAllowed([range], text)).toBe(inside)
      }),
      { numRuns: 3000 },
    )
  })

  it('R28: no list lets every caller in, an empty one nobody', () => {
    for (const ip of ['10.1.2.3', '::1', null, 'unknown', '']) {
      expect(ipAllowed(null, ip)).toBe(true)
      expect(ipAllowed([], ip)).toBe(false)
    }
  })

  it.each([
    null,
    '',
    'unknown',
    '10.1.2.3:443',
    '[::1]',
    '10.1.2',
    '010.1.2.3',
    '10.1.2.3 ',
    '::1%lo',
    'localhost',
  ])('R27: a caller whose address is %j passes no list', (ip) => {
    expect(ipAllowed(['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1', '10.1.2.3'], ip)).toBe(false)
  })

  it('R28: any entry of the list suffices, and one that cannot be read allows nothing', () => {
    const list = ['nonsense', '0.0.0.0/0', '192.0.2.1', '2001:db8::/32']
    expect(ipAllowed(list, '192.0.2.1')).toBe(true)
    expect(ipAllowed(list, '2001:db8::9')).toBe(true)
    expect(ipAllowed(list, '192.0.2.2')).toBe(false)
  })

  it('R28: a list is never answered with the memory of another one', () => {
    expect(ipAllowed(['192.0.2.1', '192.0.2.2'], '192.0.2.2')).toBe(true)
    expect(ipAllowed(['192.0.2.1,192.0.2.2'], '192.0.2.2')).toBe(false)
    expect(ipAllowed(['192.0.2.1","192.0.2.2'], '192.0.2.2')).toBe(false)
    for (let round = 0; round < 2000; round++) {
      const ip = `10.0.${round >> 8}.${round & 255}`
      expect(ipAllowed([ip], ip)).toBe(true)
      expect(ipAllowed([ip], '10.9.9.9')).toBe(false)
    }
  })
})

describe('admittingRange', () => {
  it('R28: answers the first range that lets the address in, as it was written, and none for what is no address', () => {
    const list = ['192.0.2.1', '10.0.0.0/8', '10.1.0.0/16', '2001:DB8::/32', 'broken']
    const found = (ip: string | null) => admittingRange(list, ip)
    expect(found('10.1.2.3')).toBe('10.0.0.0/8')
    expect(found('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(found('2001:db8::7')).toBe('2001:DB8::/32')
    expect([found('203.0.113.9'), found('x'), found(null)]).toEqual([undefined, undefined, undefined])
  })

  it('R28: there is one exactly where the list lets the address in', () => {
    fc.assert(
      fc.property(fc.array(pair(), { minLength: 1, maxLength: 4 }), (pairs) => {
        const ranges = pairs.map(({ range }) => range)
        for (const { text } of pairs)
          expect(admittingRange(ranges, text) !== undefined).toBe(ipAllowed(ranges, text))
      }),
      { numRuns: 500 },
    )
  })
})

describe('R28: parseRange', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    [' 203.0.113.0/24\t', '203.0.113.0/24'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['2001:0DB8:0000::/32', '2001:db8::/32'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['::FFFF:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.1.2.3/128', '10.1.2.3/32'],
    ['::ffff:128.0.0.0/97', '128.0.0.0/1'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::/1', '::/1'],
  ])('R28: reads %j as %s', (text, range) => {
    expect(parseRange(text)).toEqual({ range })
    expect(parseRange(range)).toEqual({ range })
  })

  it.each([
    ['', /not an IP/],
    ['localhost', /not an IP/],
    ['example.com/24', /not an IP/],
    ['*', /not an IP/],
    ['10.0.0', /not an IP/],
    ['10.0.0.256', /not an IP/],
    ['010.0.0.1', /not an IP/],
    ['10.0.0.01/32', /not an IP/],
    ['0x0a.0.0.1', /not an IP/],
    ['167772161', /not an IP/],
    ['10.0.0.1:443', /not an IP/],
    ['[::1]', /not an IP/],
    ['[::1]:443', /not an IP/],
    ['10.0.0.1-10.0.0.9', /not an IP/],
    ['10.0.0.0/255.0.0.0', /not an IP/],
    ['10.0.0.0/', /not an IP/],
    ['10.0.0.0/08', /not an IP/],
    ['10.0.0.0/+8', /not an IP/],
    ['10.0.0.0/8.0', /not an IP/],
    ['10.0.0.0/8/8', /not an IP/],
    ['10.0.0.0/33', /not an IP/],
    ['::/129', /not an IP/],
    ['10.0.0.0 /8', /not an IP/],
    ['10.0.0.0/ 8', /not an IP/],
    ['10.0.0.1, 10.0.0.2', /not an IP/],
    ['1.2.3.4\0', /not an IP/],
    ['::1::', /not an IP/],
    ['\uff11.2.3.4', /not an IP/],
    ['fe80::1%eth0', /zone id/],
    ['fe80::%25/10', /zone id/],
    ['0.0.0.0/0', /every address/],
    ['10.1.2.3/0', /every address/],
    ['::/0', /every address/],
    ['::ffff:0:0/96', /every address/],
    ['::ffff:10.0.0.0/8', /every address/],
    ['10.1.2.3/8', /write 10\.0\.0\.0\/8$/],
    ['192.168.1.1/31', /write 192\.168\.1\.0\/31$/],
    ['2001:db8::1/32', /write 2001:db8::\/32$/],
    ['::ffff:10.1.2.3/104', /write 10\.0\.0\.0\/8$/],
  ])('R28: refuses %j', (text, problem) => {
    expect(parseRange(text)).toEqual({ problem: expect.stringMatching(problem) })
  })

  it('R28: what it suggests for host bits is accepted', () => {
    fc.assert(
      fc.property(pair(), ({ size, address, prefix }) => {
        const answer = parseRange(`${write(size, address)}/${prefix}`)
        const suggestion = 'range' in answer ? answer.range : (answer.problem.split('write ')[1] ?? '')
        expect(parseRange(suggestion)).toEqual({ range: suggestion })
      }),
    )
  })
})

describe('R28: canonicalIp', () => {
  it('R28: gives every spelling of an address one text', () => {
    fc.assert(
      fc.property(pair(), ({ size, address, text }) => {
        const canonical = canonicalIp(text)
        expect(canonical).toBe(size === 32 ? dotted(address) : canonicalIp(groups(address, false)))
        expect(canonicalIp(canonical ?? '')).toBe(canonical)
      }),
      { numRuns: 1000 },
    )
  })

  it.each(['', 'x', '::1%1', '1.2.3', '1.2.3.4/32', '[::1]', '::ffff:1.2.3.256', ' ::1'])(
    'R28: knows no address in %j',
    (text) => {
      expect(canonicalIp(text)).toBeUndefined()
    },
  )
})

describe('R15: rangesWithin', () => {
  it.each<[string[], string[], boolean]>([
    [['10.1.0.0/16'], ['10.0.0.0/8'], true],
    [['10.0.0.0/8'], ['10.0.0.0/8'], true],
    [['10.0.0.0/8'], ['10.1.0.0/16'], false],
    [['10.1.2.3', '192.0.2.1/32'], ['192.0.2.1', '10.0.0.0/8'], true],
    [['10.1.2.3', '192.0.2.2'], ['192.0.2.1', '10.0.0.0/8'], false],
    [['::ffff:10.1.2.3'], ['10.0.0.0/8'], true],
    [['10.1.2.3'], ['::ffff:10.0.0.0/104'], true],
    [['10.1.2.3'], ['::/1'], false],
    [['2001:db8:1::/48'], ['2001:db8::/32'], true],
    [['2001:db9::/48'], ['2001:db8::/32'], false],
    [['::1'], ['0.0.0.0/1', '128.0.0.0/1'], false],
    [[], ['10.0.0.0/8'], true],
    [['10.0.0.1'], [], false],
    [['nonsense'], ['10.0.0.0/8'], false],
    [['10.0.0.1'], ['nonsense', '0.0.0.0/0'], false],
    [['0.0.0.0/0'], ['0.0.0.0/0'], false],
  ])('R15: %j within %j is %s', (inner, outer, within) => {
    expect(rangesWithin(inner, outer)).toBe(within)
  })

  it('R15: counts a range spread over two others as outside, which grants less and never more', () => {
    expect(rangesWithin(['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/9'])).toBe(false)
  })

  it('R15: whoever passes a list that lies within another passes that one too', () => {
    fc.assert(
      fc.property(pair(), fc.nat(127), ({ size, base, prefix, address, text, range }, cut) => {
        const wider = Math.max(1, prefix - cut)
        const outer = `${write(size, floor(base, size, wider))}/${wider}`
        expect(rangesWithin([range], [outer])).toBe(true)
        if (ipAllowed([range], text)) expect(ipAllowed([outer], text)).toBe(true)
        expect(rangesWithin([outer], [range])).toBe(wider === prefix)
        expect(rangesWithin([text], [range])).toBe(floor(address, size, prefix) === base)
      }),
      { numRuns: 1000 },
    )
  })
})

// An address near a range, both as numbers and in one of their spellings; v4 comes dotted or v4-mapped.
function pair() {
  return fc
    .constantFrom<32 | 128>(32, 128)
    .chain((size) =>
      fc.record({
        size: fc.constant(size),
        prefix: fc.integer({ min: 1, max: size }),
        seed: fc.bigInt({ min: 0n, max: 2n ** BigInt(size) - 1n }),
        flip: fc.nat(size),
        style: fc.nat(2),
      }),
    )
    .map(({ size, prefix, seed, flip, style }) => {
      // Bit 125 is set in every v6 case to stay clear of ::ffff:0:0/96, which is v4 by rule.
      const near = flip === size ? seed : seed ^ (1n << BigInt(flip))
      const base = floor(
        size === 32 ? seed : seed | (1n << 125n),
        size,
        Math.max(prefix, size === 32 ? 1 : 3),
      )
      const address = size === 32 ? near : near | (1n << 125n)
      const length = size === 32 ? prefix : Math.max(prefix, 3)
      const spelled = size === 32 ? [dotted, mappedDotted, mappedHex] : [short, upper, long]
      const text = (spelled[style] ?? dotted)(address)
      return { size, prefix: length, base, address, text, range: `${write(size, base)}/${length}` }
    })
}

const floor = (bits: bigint, size: number, prefix: number) => bits - (bits % 2n ** BigInt(size - prefix))
const write = (size: number, bits: bigint) => (size === 32 ? dotted(bits) : groups(bits, false))
const dotted = (bits: bigint) => [3, 2, 1, 0].map((at) => (bits / 256n ** BigInt(at)) % 256n).join('.')
const mappedDotted = (bits: bigint) => `::ffff:${dotted(bits)}`
const mappedHex = (bits: bigint) => `::FFFF:${(bits / 65536n).toString(16)}:${(bits % 65536n).toString(16)}`
const long = (bits: bigint) => groups(bits, true)
const upper = (bits: bigint) => groups(bits, false).toUpperCase()
const short = (bits: bigint) => groups(bits, false).replace(/(?:^|:)0(?::0)+(?::|$)/, '::')

function groups(bits: bigint, padded: boolean): string {
  const parts = [7, 6, 5, 4, 3, 2, 1, 0].map((at) => ((bits / 65536n ** BigInt(at)) % 65536n).toString(16))
  return parts.map((part) => (padded ? part.padStart(4, '0') : part)).join(':')
}
