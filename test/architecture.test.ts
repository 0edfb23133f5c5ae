import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { breaches, type Source } from './support/architecture.ts'

const root = new URL('..', import.meta.url).pathname

const sources: Source[] = ['src', 'tools', 'db'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ path: join(folder, file), text: readFileSync(join(root, folder, file), 'utf8') })),
)

/** The size budget of DESIGN §2. */
function quantile(share: number): number {
  const sizes = sources.map(({ text }) => text.split('\n').length - 1).sort((a, b) => a - b)
  return sizes[Math.floor(sizes.length * share)] ?? 0
}

const bad: [what: string, path: string, text: string, problem: string][] = [
  [
    'domain importing db',
    'src/domain/a.ts',
    "import { x } from '../../db/open.ts'",
    'domain may not import db',
  ],
  [
    'domain importing core',
    'src/domain/a.ts',
    "import { x } from '../core/actor.ts'",
    'domain may not import core',
  ],
  ['domain importing a package', 'src/domain/a.ts', "import hono from 'hono'", 'src/domain is pure'],
  ['domain doing I/O', 'src/domain/a.ts', "import { readFileSync } from 'node:fs'", 'src/domain is pure'],
  ['domain reading the clock', 'src/domain/a.ts', 'export const now = () => Date.now()', 'reads the clock'],
  [
    'domain making a date of now',
    'src/domain/a.ts',
    'export const now = () => new Date()',
    'reads the clock',
  ],
  [
    'db importing core',
    'db/a.ts',
    "import { AppError } from '../src/core/errors.ts'",
    'db may not import core',
  ],
  [
    'db importing core types',
    'db/a.ts',
    "import type { AppError } from '../src/core/errors.ts'",
    'db may not import core',
  ],
  ['db importing another package', 'db/a.ts', "import pino from 'pino'", 'for foundation only'],
  ['core importing kysely', 'src/core/a.ts', "import { sql } from 'kysely'", 'for db only'],
  ['core importing kysely types', 'src/core/a.ts', "import type { Kysely } from 'kysely'", 'for db only'],
  ['a tool importing a driver', 'tools/tokens/a.ts', "import pg from 'pg'", 'for db only'],
  ['core importing a face', 'src/core/a.ts', "import { x } from '../http/a.ts'", 'core may not import http'],
  [
    'core importing the tools',
    'src/core/a.ts',
    "import { operations } from '../../tools/index.ts'",
    'core may not import list',
  ],
  ['a tool importing a tool', 'tools/tokens/a.ts', "import { b } from './b.ts'", 'a tool cannot call a tool'],
  [
    'a tool importing a tool of another set',
    'tools/tokens/a.ts',
    "import { b } from '../groups/b.ts'",
    'a tool cannot call a tool',
  ],
  [
    'a tool importing the list',
    'tools/tokens/a.ts',
    "import { toolsets } from '../index.ts'",
    'tool may not import list',
  ],
  [
    'a tool importing invoke',
    'tools/tokens/a.ts',
    "import { invoke } from '../../src/core/invoke.ts'",
    'a tool cannot call a tool',
  ],
  [
    'a tool importing a face',
    'tools/tokens/a.ts',
    "import { x } from '../../src/mcp/a.ts'",
    'tool may not import mcp',
  ],
  [
    'a face importing db',
    'src/mcp/a.ts',
    "import { openStore } from '../../db/open.ts'",
    'mcp may not import db',
  ],
  [
    'a face importing db lazily',
    'src/cli/a.ts',
    "export const x = () => import('../../db/open.ts')",
    'cli may not import db',
  ],
  [
    'a face importing a type of db',
    'src/cli/a.ts',
    "export type X = import('../../db/open.ts').Db",
    'cli may not import db',
  ],
  ['a face importing a face', 'src/rest/a.ts', "import { x } from '../mcp/a.ts'", 'rest may not import mcp'],
  ['a face passing on a face', 'src/web/a.ts', "export { x } from '../rest/a.ts'", 'web may not import rest'],
  [
    'a face importing a single tool',
    'src/cli/a.ts',
    "import { x } from '../../tools/tokens/x.ts'",
    'cli may not import tool',
  ],
  ['http importing a face', 'src/http/a.ts', "import { x } from '../rest/a.ts'", 'http may not import rest'],
  [
    'http importing the tools',
    'src/http/a.ts',
    "import { x } from '../../tools/index.ts'",
    'http may not import list',
  ],
  [
    'the SDK outside its face',
    'src/http/a.ts',
    "import { Server } from '@modelcontextprotocol/sdk/server/index.js'",
    'for mcp, gateway only',
  ],
  ['the router in the core', 'src/core/a.ts', "import { Hono } from 'hono'", 'for http,'],
  ['the router in the CLI', 'src/cli/a.ts', "import { Hono } from 'hono'", 'for http,'],
  [
    'the guard importing a type of a package',
    'src/guard/a.ts',
    "import type { Context } from 'hono'",
    'needs no package',
  ],
  [
    'the guard importing what is ours',
    'src/guard/a.ts',
    "import { bearerOf } from '../http/bearer.ts'",
    'guard may not import http',
  ],
  ['a computed import', 'src/cli/a.ts', 'export const x = (n: string) => import(n)', 'computed name'],
  ['a built-in without node:', 'src/core/a.ts', "import { join } from 'path'", 'without node:'],
  ['an import without extension', 'src/core/a.ts', "import { x } from './actor'", 'without its extension'],
  ['a file in no layer', 'src/helpers/a.ts', "import { z } from 'zod'", 'no layer'],
  [
    'a barrel',
    'src/core/a.ts',
    "export { x } from './actor.ts'\nexport { y } from './parse.ts'",
    'is a barrel',
  ],
  ['export *', 'src/core/a.ts', "export * from './actor.ts'\nexport const x = 1", 'passes on a whole module'],
  ['a default export', 'src/core/a.ts', 'export default 1', 'default export'],
  ['a class', 'src/core/a.ts', 'export class Store {}', 'no error type'],
  ['a class expression', 'src/core/a.ts', 'export const Store = class extends Map {}', 'no error type'],
  ['an enum', 'src/core/a.ts', 'export enum Role { admin }', 'has an enum'],
  ['any', 'src/core/a.ts', 'export const x: any = 1', 'says any'],
  ['a non-null assertion', 'src/core/a.ts', 'export const f = (x?: string) => x!.length', 'asserts with !'],
  [
    'a forbidden name',
    'src/core/a.ts',
    'export interface TokenService { a: 1 }',
    'names something TokenService',
  ],
  [
    'a forbidden function name',
    'src/core/a.ts',
    'export function tokenHelper() {}',
    'names something tokenHelper',
  ],
  ['a forbidden file name', 'src/core/token-utils.ts', 'export const x = 1', 'is called token-utils'],
  ['the environment', 'src/core/a.ts', "export const x = process.env['HOME']", 'reads process.env'],
  ['the environment by brackets', 'src/core/a.ts', "export const x = process['env']", 'reads process.env'],
  [
    'the environment taken apart',
    'src/main.ts',
    'const { env } = process\nexport const x = env',
    'reads process.env',
  ],
  [
    'the environment imported',
    'src/cli/a.ts',
    "import { env } from 'node:process'\nexport const x = env",
    'reads process.env',
  ],
  ['a long file', 'src/core/a.ts', `export const x = 1${'\n'.repeat(401)}`, '400 are the most'],
  ['broken text', 'src/core/a.ts', 'export const = 1', 'does not parse'],
]

describe('architecture', () => {
  it('keeps the layers and the style of DESIGN §2 in every source file', () => {
    expect(sources.length).toBeGreaterThan(60)
    expect(breaches(sources)).toEqual([])
  })

  it('keeps files small: half of them within 60 lines, nine tenths within 200', () => {
    expect(quantile(0.5)).toBeLessThanOrEqual(60)
    expect(quantile(0.9)).toBeLessThanOrEqual(200)
  })

  it.each(bad)('the check finds %s', (_, path, text, problem) => {
    expect(breaches([{ path, text }]).join('\n')).toContain(problem)
  })

  it('the check finds a circle of imports, and none in imports of types', () => {
    const a = { path: 'src/core/a.ts', text: "import { b } from './b.ts'\nexport const a = b" }
    const b = (text: string) => ({ path: 'src/core/b.ts', text })
    expect(breaches([a, b("import { a } from './a.ts'\nexport const b = a")])).toEqual([
      'src/core/a.ts: imports itself through src/core/b.ts',
    ])
    expect(breaches([a, b("import type { A } from './a.ts'\nexport const b = 1 as A")])).toEqual([])
  })

  it('the check leaves alone what is allowed', () => {
    const fine: Source[] = [
      { path: 'src/config.ts', text: "export const home = process.env['HOME']" },
      { path: 'src/core/errors.ts', text: 'export class AppError extends Error {}' },
      {
        path: 'src/mcp/a.ts',
        text: "import { Server } from '@modelcontextprotocol/sdk/server/index.js'\nimport { toolsets } from '../../tools/index.ts'\nexport const x = [Server, toolsets]",
      },
      { path: 'src/main.ts', text: "import { openStore } from '../db/open.ts'\nexport const x = openStore" },
      {
        path: 'src/domain/a.ts',
        text: "import { createHmac } from 'node:crypto'\nexport const at = new Date(0)\nexport const x = createHmac",
      },
    ]
    expect(breaches(fine)).toEqual([])
  })
})
