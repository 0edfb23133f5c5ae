import { describe, expect, it } from 'vitest'
import { foundIn } from './found.ts'

describe('keywords', () => {
  it.each([
    ['project bluebird', 'About Project  BLUEBIRD:'],
    ['bird', 'bluebirds'],
    ['STRASSE', 'Strasse'],
    ['ﬁle', 'a FILE'],
    ['secret', 'ｓｅｃｒｅｔ'],
    ['secret', 'se\u200bcr\u00adet'],
    ['é', 'E\u0301'],
    ["don't", 'DON’T'],
    ['42', 42],
    ['名前', '私の名前は'],
  ])('%s is found in %s', (keyword, text) => {
    expect(foundIn('keyword', text, { keywords: ['other', keyword] })).toEqual(['keyword'])
    expect(foundIn('policy_violation', [{ [text]: 0 }], { keywords: [keyword] })).toEqual(['keyword'])
  })

  it.each([
    ['bluebird', 'blue bird'],
    ['a.c', 'abc'],
    ['secret', 'secre'],
    ['secret', ''],
  ])('%s is not found in %s', (keyword, text) => {
    expect(foundIn('keyword', { text }, { keywords: [keyword] })).toEqual([])
  })
})

describe('patterns', () => {
  it.each([
    ['[A-Z]{3}-\\d{4}', 'ticket ABC-1234'],
    ['(?i)confidential', 'CONFIDENTIAL'],
    ['^internal$', 'internal'],
    ['\\bcode\\d+\\b', 'the code7 of'],
    ['\\p{Greek}{3}', 'αβγ'],
    ['secret', 'se\u200bcret'],
    ['\\x{200b}', 'se\u200bcret'],
    ['^\\d{5}$', 12345],
    ['^$', ''],
    ['(?P<a>x)', 'x'],
  ])('%s is found in %s', (pattern, text) => {
    expect(foundIn('regex', { text }, { patterns: [pattern] })).toEqual(['regex'])
    expect(foundIn('policy_violation', [text], { patterns: ['zzz', pattern, '(?P<a>q)'] })).toEqual(['regex'])
  })

  it.each([
    ['[A-Z]{3}-\\d{4}', 'ticket abc-1234'],
    ['^internal$', 'internal affairs'],
    ['a|b', 'c'],
  ])('%s is not found in %s', (pattern, text) => {
    expect(foundIn('regex', { text }, { patterns: [pattern, '(?i)zz'] })).toEqual([])
  })

  it('keeps the letter case of one from another', () => {
    expect(foundIn('regex', 'ABC', { patterns: ['(?i)xyz', 'abc'] })).toEqual([])
    expect(foundIn('regex', 'XYZ', { patterns: ['(?i)xyz', 'abc'] })).toEqual(['regex'])
  })
})

describe('policy_violation', () => {
  it('is both lists together, and nothing without them', () => {
    const lists = { keywords: ['bluebird'], patterns: ['\\d{9}'] }
    expect(foundIn('policy_violation', ['bluebird', '123456789'], lists)).toEqual(['keyword', 'regex'])
    expect(foundIn('policy_violation', ['bluebird', '123456789'])).toEqual([])
  })
})
