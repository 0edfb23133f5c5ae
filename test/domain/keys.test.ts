import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { deriveKeys, fingerprint, formatMaster, parseMaster } from '../../src/domain/keys.ts'

const master = Buffer.from(Array.from({ length: 32 }, (_, at) => at))

describe('R3: deriveKeys', () => {
  it('R3: derives keys of 32 bytes, all different, none the master and none its fingerprint', () => {
    const keys = deriveKeys(master)
    expect(Object.keys(keys).sort()).toEqual([
      'audit',
      'backup',
      'conversation',
      'env',
      'idempotency',
      'link',
      'pepper',
      'values',
    ])
    expect(Object.values(keys).every((key) => key.length === 32)).toBe(true)
    const all = [...Object.values(keys), master].map((key) => key.toString('hex'))
    expect(new Set(all).size).toBe(all.length)
    expect(all.some((hex) => hex.startsWith(fingerprint(master)))).toBe(false)
  })

  it('R3: is HKDF-SHA-256 (RFC 5869) under one label each, the same on every node', () => {
    const extracted = createHmac('sha256', Buffer.alloc(32)).update(master).digest()
    for (const [name, key] of Object.entries(deriveKeys(master))) {
      expect(key).toEqual(createHmac('sha256', extracted).update(`tokenwright ${name} v1\x01`).digest())
    }
  })

  it('R3: gives other keys and another fingerprint when one bit of the master changes', () => {
    const other = Buffer.from(master)
    other[31] = 30
    expect(deriveKeys(other).pepper).not.toEqual(deriveKeys(master).pepper)
    expect(fingerprint(other)).not.toBe(fingerprint(master))
    expect(fingerprint(master)).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('R3: parseMaster', () => {
  it('R3: reads what formatMaster wrote, with or without a line break behind it', () => {
    for (let round = 0; round < 200; round++) {
      const key = randomBytes(32)
      const text = formatMaster(key)
      for (const line of [text, `${text}\n`, `${text}\r\n`]) expect(parseMaster(line)).toEqual(key)
    }
  })

  const text = formatMaster(master)
  it.each([
    ['nothing', ''],
    ['a line break', '\n'],
    ['31 bytes', master.subarray(1).toString('base64url')],
    ['33 bytes', Buffer.alloc(33).toString('base64url')],
    ['hex', master.toString('hex')],
    ['padding', `${text}=`],
    ['a blank before', ` ${text}`],
    ['two line breaks', `${text}\n\n`],
    ['a character that is skipped', `${text.slice(0, 10)}*${text.slice(10)}`],
    ['the other base64 alphabet', Buffer.alloc(32, 0xff).toString('base64').slice(0, 43)],
    ['a last character with stray bits', `${text.slice(0, -1)}9`],
  ])('R3: takes %s for malformed', (_, malformed) => {
    expect(parseMaster(malformed)).toBeUndefined()
  })
})
