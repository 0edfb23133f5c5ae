import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeFixture } from '../../conformance/fixture/surface.ts'
import { type Bin, openBin } from '../cli/bin.ts'

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

describe('the conformance fixture', () => {
  it('is in no file of the program that is shipped', () => {
    const folder = dirname(bin.main)
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.js'),
    )
    const all = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
    expect(all).toContain('create_token')
    const { info } = makeFixture()
    for (const trace of [info.name, 'test_simple_text', 'test://watched-resource'])
      expect(all).not.toContain(trace)
  })
})
