import { describe, expect, it } from 'vitest'
import { groupSlug, slugOf } from '../../src/domain/slug.ts'

describe('metorial:servers:object:slug', () => {
  it.each([
    ['Weather', 'weather'],
    ['github_server', 'github-server'],
    ['My App', 'my-app'],
    ['a  b', 'a--b'],
    ['-a-', '-a-'],
    ['../../etc', '------etc'],
    ['Grüße 2', 'gr--e-2'],
    ['🌍x', '-x'],
    ['\n', '-'],
    [' ', '-'],
    ['', 'server'],
    [null, 'server'],
  ])('turns the name %j into %s, one character for one', (name, slug) => {
    expect(slugOf(name)).toBe(slug)
  })
})

describe('metorial:groups:object:slug', () => {
  it('adds six random characters a-z0-9 to the slug of the name', () => {
    expect(groupSlug('Weather')).toMatch(/^weather-[a-z0-9]{6}$/)
    expect(groupSlug('')).toMatch(/^-[a-z0-9]{6}$/)
    expect(new Set(Array.from({ length: 100 }, () => groupSlug('x'))).size).toBe(100)
  })
})
