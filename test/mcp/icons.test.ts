import { describe, expect, it } from 'vitest'
import { iconsOf } from '../../src/mcp/icons.ts'
import { offered } from '../../src/mcp/offered.ts'
import { toolsets } from '../../tools/index.ts'

describe('icons', () => {
  it.each(Object.keys(toolsets))(
    'the set %s has one of its own: a small drawing without script or reference',
    (set) => {
      const [icon] = iconsOf(set)
      expect(icon).toMatchObject({ mimeType: 'image/svg+xml', sizes: ['any'] })
      const [kind, data = ''] = icon?.src.split(',') ?? []
      expect(kind).toBe('data:image/svg+xml;base64')
      expect(icon?.src.length).toBeLessThanOrEqual(700)
      const svg = Buffer.from(data, 'base64').toString()
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 24 24".*<\/svg>$/)
      expect(svg).not.toMatch(/script|href|url\(|on[a-z]+=/)
    },
  )

  it('no two sets share one, and the server has that of its tokens', () => {
    const sources = Object.keys(toolsets).map((set) => iconsOf(set)[0]?.src)
    expect(new Set(sources).size).toBe(sources.length)
    expect(offered('1').info.icons).toEqual(iconsOf('tokens'))
  })

  it('an unknown set has none', () => {
    expect(iconsOf('nope')).toEqual([])
  })
})
