import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { verifies } from '../support/verifies.ts'
import { type Documented, operationsOf } from './document.ts'

interface Row {
  method: string
  path: string
  /** The cells behind the path. */
  cells: string[]
}

/** The rows of a contract's tables of routes; a cell may name several paths. */
function rowsOf(file: string, base = ''): Row[] {
  const text = readFileSync(new URL(`../../docs/contracts/${file}`, import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| (?:\d+|–) \| (GET|POST|PUT|PATCH|DELETE) ([^|]+)\|(.*)\|$/gm)]
  return rows.flatMap(([, method = '', paths = '', rest = '']) => {
    const cells = rest.split('|').map((cell) => cell.trim())
    const [first = '', ...others] = [...paths.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)
    const whole = [first, ...others.map((path) => first.replace(/\/[^/]+$/, path))]
    return whole.map((path) => ({ method, path: `${base}${path}`, cells }))
  })
}

const skeleton = (path: string) => path.replace(/\{\w+\}|:\w+/g, '{}')

describe('the tables of the contracts in /openapi.json', () => {
  let running: Running
  let documented: Documented[]
  // biome-ignore lint/suspicious/noExplicitAny: the document is what the test is about
  let document: any
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    document = (await running.send('/openapi.json')).json
    documented = operationsOf(document)
  })
  afterAll(() => running.close())

  const found = ({ method, path }: Row) =>
    documented.find((one) => one.method === method && skeleton(one.path) === skeleton(path))
  const statusesOf = (row: Row) => Object.keys(found(row)?.operation.responses ?? {})

  const enkrypt = rowsOf('enkrypt.md', '/api/v1')

  it(`${verifies('enkrypt:docs:openapi:complete')} it is valid and lists the 54 routes of the Enkrypt contract, each with bearer security`, async () => {
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true })
    expect(enkrypt).toHaveLength(54)
    const { bearer } = document.components.securitySchemes
    expect(bearer).toEqual({ type: 'http', scheme: 'bearer' })
    for (const row of enkrypt) {
      expect([row.method, row.path, found(row)?.operation.security]).toEqual([
        row.method,
        row.path,
        [{ bearer: [] }],
      ])
    }
  })

  it(`${verifies('enkrypt:docs:openapi:complete')} each of them tells its success and its refusals by status`, () => {
    for (const row of enkrypt) {
      const [, request = '', success = ''] = row.cells
      const names = row.path.includes('{')
      const takes = request !== '–'
      const expected = [
        success.startsWith('201') ? '201' : '200',
        ...['401', '403', '429', '500'],
        ...(takes || names ? ['400', '404'] : []),
        ...(takes && row.method !== 'GET' ? ['413'] : []),
        ...(success.startsWith('201') ? ['409'] : []),
      ]
      expect([row.method, row.path, statusesOf(row)]).toEqual([
        row.method,
        row.path,
        expect.arrayContaining(expected),
      ])
      const successes = statusesOf(row).filter((status) => status < '300')
      const both = row.path === '/api/v1/projects/{p}/users' && row.method === 'POST'
      expect([row.path, successes]).toEqual([row.path, both ? ['200', '201'] : [expected[0]]])
    }
  })

  it('tells the statuses of the GASSAPI contract', () => {
    const [made, alias, validated] = rowsOf('gassapi.md').map(statusesOf)
    const generate = ['201', '400', '401', '403', '409', '413', '429', '500', '503']
    expect([made, alias]).toEqual([generate, generate])
    expect(validated).toEqual(['200', '401', '403', '429', '500', '503'])
  })

  it.each([
    ['metorial.md', 20],
    ['mctx.md', 7],
    ['gassapi.md', 3],
  ])('lists every route of %s', (file, count) => {
    const rows = rowsOf(file).filter(({ path }) => !/^\/(servers|gateway)\//.test(path))
    expect(rows.map(({ method, path }) => `${method} ${path}`)).toHaveLength(count)
    for (const row of rows)
      expect([row.method, row.path, found(row) !== undefined]).toEqual([row.method, row.path, true])
  })
})
