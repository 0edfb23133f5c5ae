import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { checker, type Documented, operationsOf } from './document.ts'
import { stories } from './stories.ts'
import { sendAs } from './support.ts'

/** The route a request goes to: of those that fit, the one with the fewest parameters. */
function documentedFor(documented: Documented[], method: string, path: string): Documented | undefined {
  const fitting = documented.filter(
    (one) => one.method === method && new RegExp(`^${one.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  return fitting.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0]
}

describe('answers are what /openapi.json says', () => {
  let running: Running
  let documented: Documented[]
  let check: ReturnType<typeof checker>
  const visited = new Set<Documented>()
  const kept: Record<string, string> = {}
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    const { json } = await running.send('/openapi.json')
    documented = operationsOf(json)
    check = checker(json)
  })
  afterAll(() => running.close())

  const filled = (text: string) => text.replace(/:([a-z]\w*)/g, (all, name) => kept[name] ?? all)

  it.each(Object.entries(stories))(
    'of %s, sent once and sent again',
    async (_, story) => {
      const before = visited.size
      for (const { line, body, form, as, keep } of story) {
        const [method = '', target = ''] = filled(line).split(' ')
        const send = sendAs(running, as === undefined ? running.adminKey : filled(as) || null)
        const sent = form === undefined ? body && JSON.parse(filled(JSON.stringify(body))) : filled(form)
        const type: Record<string, string> =
          form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
        const { status, text, json } = await send(`${method} ${target}`, sent, type)
        const one = documentedFor(documented, method, target.split('?')[0] ?? '')
        expect([line, one === undefined]).toEqual([line, false])
        if (one === undefined) continue
        expect([line, status, text.slice(0, 300)]).toEqual([
          line,
          expect.toSatisfy((code) => [200, 201].includes(code)),
          expect.any(String),
        ])
        expect([line, status, check(one, status, json)]).toEqual([line, status, null])
        visited.add(one)
        Object.assign(kept, keep?.(json))
        const again = await send(`${method} ${target}`, sent, type)
        expect([line, again.status, check(one, again.status, again.json)]).toEqual([line, again.status, null])
      }
      expect(visited.size).toBeGreaterThan(before)
    },
    120_000,
  )

  it('no route is left out of the stories', () => {
    const told = documented.filter((one) => !visited.has(one)).map(({ method, path }) => `${method} ${path}`)
    expect(told.sort()).toEqual([
      'DELETE /mcp',
      'GET /health',
      'GET /mcp',
      'GET /metrics',
      'GET /ready',
      'POST /mcp',
    ])
  })
})
