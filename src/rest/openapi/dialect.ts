import { z } from 'zod'
import type { Dialect } from '../dialect.ts'
import type { Route } from '../route.ts'
import type { Chapter, Described } from './described.ts'
import { refusalsOf } from './refusals.ts'

/** The routes of a dialect. */
export function dialectChapter(dialect: Dialect): Chapter {
  const { via, title, routes, refusal, described = [] } = dialect
  const ids = idsOf(via, routes)
  return {
    tag: title,
    about: `The routes of ${title}, on the same operations as all others.`,
    family: via,
    refusal,
    routes: [...routes.map((route, at) => describe(dialect, route, ids[at] ?? '')), ...described],
  }
}

function describe(dialect: Dialect, route: Route, id: string): Described {
  const { method, path, operation, permission, query, body, statuses, all } = route
  const { effect, retryable = false, input } = operation
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  const facts = {
    effect,
    public: false,
    body: body !== undefined,
    query: query !== undefined,
    names: names.length > 0 || body !== undefined,
    retryable,
    all,
  }
  const schema = answerOf(dialect, route)
  const done = statuses.filter((status) => status < 400)
  const needs = [operation.permission, ...(permission === undefined ? [] : [permission])]
  const moment = { path, requestId: '', now: '', sent: false, formed: false }
  return {
    method,
    path,
    id,
    summary: operation.title,
    about: `The operation ${operation.name} in the words of ${dialect.title}. Needs ${[...new Set(needs)].join(' and ')}.`,
    retryable,
    query,
    body,
    params: Object.fromEntries(
      names.map((name) => [name, (input.shape[name] as z.ZodType | undefined)?.description ?? '']),
    ),
    answers: Object.fromEntries(done.map((status) => [status, { about: 'Done.', schema }])),
    refusals: refusalsOf(facts, (error) => dialect.word(error, moment).status),
  }
}

/** What is sent: the answer of the route with what the dialect adds at the end. */
function answerOf({ finished }: Dialect, { answer }: Route): z.ZodType {
  return finished !== undefined && answer instanceof z.ZodObject ? answer.extend(finished.shape) : answer
}

/** An operation that stands behind several routes is told apart by the words of their paths. */
function idsOf(via: string, routes: readonly Route[]): string[] {
  const times = new Map<string, number>()
  for (const { operation } of routes) times.set(operation.name, (times.get(operation.name) ?? 0) + 1)
  return routes.map(({ operation, method, path }) => {
    const words = path.split('/').filter((word) => /^\w[\w-]*$/.test(word) && !/^(api|v\d)$/.test(word))
    const more = times.get(operation.name) === 1 ? [] : [method.toLowerCase(), ...words]
    return [via, operation.name, ...more].join('_').replaceAll('-', '_')
  })
}
