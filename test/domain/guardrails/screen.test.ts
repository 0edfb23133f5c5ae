import { describe, expect, it } from 'vitest'
import { blockNames, storedPolicy } from '../../../src/domain/guardrail-policy.ts'
import { compilePolicy } from '../../../src/domain/guardrails/compile.ts'
import { newRedactions } from '../../../src/domain/guardrails/redactions.ts'
import { screen } from '../../../src/domain/guardrails/screen.ts'
import { makeSecret } from '../../../src/domain/secret.ts'
import { compiled, foundIn } from './found.ts'

const mail = 'jane@example.com'
const everything = compiled([...blockNames], { keywords: ['bluebird'], patterns: ['z{3}'] })

describe('what a policy blocks', () => {
  it('a policy that is off does nothing, whatever it names', () => {
    const off = compilePolicy({
      enabled: false,
      policy_name: '',
      additional_config: { pii_redaction: true, pii_restore: true, max_bytes: 1 },
      block: [...blockNames],
    })
    const value = { to: mail, key: makeSecret('mcpt') }
    expect(screen(off, value)).toEqual({ findings: [], value })
    expect(off.restores).toBe(false)
    expect(screen(compilePolicy(storedPolicy('{}')), value).findings).toEqual([])
  })

  it('names the block, the detector and the place, and only what the policy blocks', () => {
    const value = { arguments: { list: ['fine', { to: mail }], note: 'bluebird' } }
    expect(screen(compiled(['pii']), value).findings).toEqual([
      { block: 'pii', detector: 'email', path: '/arguments/list/1/to' },
    ])
    expect(screen(everything, value).findings).toEqual([
      { block: 'pii', detector: 'email', path: '/arguments/list/1/to' },
      { block: 'policy_violation', detector: 'keyword', path: '/arguments/note' },
      { block: 'keyword', detector: 'keyword', path: '/arguments/note' },
    ])
    expect(screen(compiled(['secrets', 'size']), value).findings).toEqual([])
  })

  it('tells the first finding of each detector', () => {
    expect(screen(compiled(['pii']), [mail, '+34 612 345 678', mail, '+34 612 345 678']).findings).toEqual([
      { block: 'pii', detector: 'email', path: '/0' },
      { block: 'pii', detector: 'phone', path: '/1' },
    ])
    expect(screen(compiled(['pii']), mail).findings).toEqual([{ block: 'pii', detector: 'email', path: '' }])
  })

  it('a finding never holds what was found, also where a name holds it or leads to it', () => {
    const secret = makeSecret('mcpt')
    const value = {
      [mail]: { [secret]: { bluebird: 'zzz', ok: { bluebird: { deep: 'zzz' } } } },
      bluebird: secret,
      'Ünï cödé': mail,
    }
    const { findings } = screen(everything, value)
    expect(findings).toEqual([
      { block: 'pii', detector: 'email', path: '/*' },
      { block: 'policy_violation', detector: 'keyword', path: '/*' },
      { block: 'keyword', detector: 'keyword', path: '/*' },
      { block: 'secrets', detector: 'own_token', path: '/*/*' },
      { block: 'policy_violation', detector: 'regex', path: '/*/*/*' },
      { block: 'regex', detector: 'regex', path: '/*/*/*' },
    ])
    expect(screen(compiled(['pii']), [{ bluebird: { x: mail } }]).findings[0]?.path).toBe('/0/bluebird/x')
  })

  it('blocks nothing that is not there', () => {
    for (const value of [null, true, 1.5, 7, '', [], {}, undefined, { a: [null, { b: false }] }])
      expect(screen(everything, value)).toEqual({ findings: [], value })
  })

  it('with pii in block a finding refuses, and redaction asks for nothing more', () => {
    const both = compiled(['pii'], { pii_redaction: true, pii_restore: true })
    const value = { to: mail }
    expect(screen(both, value)).toEqual({
      findings: [{ block: 'pii', detector: 'email', path: '/to' }],
      value,
    })
    expect(both.restores).toBe(false)
  })

  it('judges what was sent, not what is left of it', () => {
    const policy = compiled(['keyword'], { pii_redaction: true, keywords: ['example.com'] })
    expect(screen(policy, { to: mail }).findings).toHaveLength(1)
    expect(screen(policy, { to: 'jane@example.org' }).value).toEqual({ to: '<EMAIL_1>' })
  })
})

describe('size', () => {
  it.each([
    [{ a: 'ü"\n', b: [1, null, true, -2.5e30] }],
    [[]],
    [{}],
    ['\ud800\u2028'],
    [[[], {}, '', { x: { y: [0] } }, undefined]],
    [12345],
  ])('counts the bytes of %j as JSON text', (value) => {
    const bytes = Buffer.byteLength(JSON.stringify(value))
    expect(foundIn('size', value, { max_bytes: bytes })).toEqual([])
    if (bytes > 1) expect(foundIn('size', value, { max_bytes: bytes - 1 })).toEqual(['size'])
  })

  it('allows 256 KiB where nothing is said, and is no matter where size is not in block', () => {
    const exact = 'x'.repeat(262_144 - 2)
    expect(foundIn('size', exact)).toEqual([])
    expect(foundIn('size', `${exact}x`)).toEqual(['size'])
    expect(foundIn('keyword', `${exact}x`, { max_bytes: 1, keywords: ['y'] })).toEqual([])
  })

  it('reads nothing of what is too large', () => {
    const policy = compiled(['pii', 'size'], { max_bytes: 10 })
    expect(screen(policy, { to: mail }).findings).toEqual([{ block: 'size', detector: 'size', path: '' }])
  })
})

describe('any depth', () => {
  it('finds, redacts and measures half a million levels down without running out of stack', () => {
    let deep: unknown = mail
    for (let level = 0; level < 500_000; level++) deep = level % 2 ? [deep] : { a: deep }
    const { findings } = screen(compiled(['pii']), deep)
    expect(findings).toHaveLength(1)
    expect(findings[0]?.path.length).toBeLessThan(300)
    expect(foundIn('size', deep)).toEqual(['size'])
    let found = screen(compiled([], { pii_redaction: true }), deep, newRedactions()).value
    while (typeof found === 'object' && found !== null) found = Object.values(found)[0]
    expect(found).toBe('<EMAIL_1>')
  })
})
