import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeEventReader } from '../../src/gateway/http/event-reader.ts'

function read(chunks: Buffer[], limit = 10_000) {
  const events: { name: string; data: string }[] = []
  const retries: number[] = []
  const reader = makeEventReader(
    { event: (event) => void events.push(event), retry: (ms) => void retries.push(ms) },
    limit,
  )
  const reads = chunks.map((chunk) => reader.push(chunk))
  return { events, retries, id: reader.lastId(), reads }
}

const whole = (text: string) => read([Buffer.from(text)])

describe('an event stream', () => {
  // By hand, after the rules and the examples of WHATWG HTML 9.2.6.
  const table: [string, string, { name: string; data: string }[]][] = [
    ['one event', 'data: a\n\n', [{ name: '', data: 'a' }]],
    ['a name', 'event: message\ndata: a\n\n', [{ name: 'message', data: 'a' }]],
    ['several lines', 'data: YHOO\ndata: +2\ndata: 10\n\n', [{ name: '', data: 'YHOO\n+2\n10' }]],
    ['comments', ': ping\n\ndata: a\n: x\n\n:\n\n', [{ name: '', data: 'a' }]],
    ['no blank behind the colon', 'data:a\n\n', [{ name: '', data: 'a' }]],
    ['one blank only is taken away', 'data:  a\n\n', [{ name: '', data: ' a' }]],
    [
      'empty data',
      'data\n\ndata\ndata\n\ndata:',
      [
        { name: '', data: '' },
        { name: '', data: '\n' },
      ],
    ],
    ['colons in the value', 'data: a:b: c\n\n', [{ name: '', data: 'a:b: c' }]],
    ['unknown fields', 'foo: 1\ndata: a\nbar\n\n', [{ name: '', data: 'a' }]],
    ['fields differ by case', 'DATA: a\ndata: b\n\n', [{ name: '', data: 'b' }]],
    ['a name without data', 'event: x\n\ndata: a\n\n', [{ name: '', data: 'a' }]],
    ['CRLF', 'data: a\r\ndata: b\r\n\r\n', [{ name: '', data: 'a\nb' }]],
    [
      'CR',
      'data: a\rdata: b\r\rdata: c\r\r',
      [
        { name: '', data: 'a\nb' },
        { name: '', data: 'c' },
      ],
    ],
    ['all three', 'data: a\r\ndata: b\rdata: c\n\n', [{ name: '', data: 'a\nb\nc' }]],
    ['a byte order mark', '\ufeffdata: a\n\n', [{ name: '', data: 'a' }]],
    ['an unfinished event', 'data: a\n\ndata: b\n', [{ name: '', data: 'a' }]],
  ]

  it.each(table)('is read: %s', (_, text, events) => {
    expect(whole(text).events).toEqual(events)
  })

  it('tells the id of the last complete event, and none that holds NUL', () => {
    expect(whole('id: 1\ndata: a\n\n').id).toBe('1')
    expect(whole('id: 1\ndata: a\n\nid: 2\ndata: b').id).toBe('1')
    expect(whole('id: 1\n\nid: 2\n\n').id).toBe('2')
    expect(whole('id: 1\n\nid: 2\0\n\n').id).toBe('1')
    expect(whole('id: 1\n\nid\n\n').id).toBe('')
    expect(whole('data: a\n\n').id).toBeUndefined()
  })

  it('tells how long to wait, where that is a number', () => {
    expect(whole('retry: 1500\n\nretry: soon\n\nretry: -1\n\nretry: 99999999999\n\n').retries).toEqual([1500])
  })

  it('reads the same however it is cut into chunks, within characters and between CR and LF', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ':', ' ', 'ü', '漢', '🦊', '{', '"') })
    const end = fc.constantFrom('\n', '\r\n', '\r')
    const line = fc
      .tuple(fc.constantFrom('data: ', 'data:', 'event: ', 'id: ', ': ', 'x'), text, end)
      .map((parts) => parts.join(''))
    const streams = fc.array(fc.oneof(line, line, end), { maxLength: 30 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(streams, fc.array(fc.nat({ max: 400 }), { maxLength: 20 }), (all, cuts) => {
        const bytes = Buffer.from(all)
        const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
        const chunks = places.slice(1).map((to, n) => bytes.subarray(places[n], to))
        const single = [...bytes].map((byte) => Buffer.from([byte]))
        const { events, id } = whole(all)
        for (const cut of [chunks, single]) {
          const again = read(cut)
          expect(again.events).toEqual(events)
          expect(again.id).toBe(id)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('ends where a line, or the lines of an event together, are larger than allowed', () => {
    const large = (text: string) => read([Buffer.from(text)], 1_000).reads
    expect(large(`data: ${'a'.repeat(900)}\n`)).toEqual(['line'])
    expect(large(`data: ${'a'.repeat(1_000)}\n`)).toEqual(['too_large'])
    expect(large('a'.repeat(1_001))).toEqual(['too_large'])
    expect(large(`data: ${'a'.repeat(400)}\n`.repeat(3))).toEqual(['too_large'])
    expect(large(`data: ${'a'.repeat(400)}\n\n`.repeat(30))).toEqual(['line'])
    expect(large('data\n'.repeat(30))).toEqual(['too_large'])
    expect(large(`: ${'a'.repeat(400)}\n`.repeat(30))).toEqual(['line'])
  })
})
