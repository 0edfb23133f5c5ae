import { expect } from 'vitest'
import type { AuditRow } from '../../db/schema.ts'
import type { Answer, Running } from '../http/serving.ts'
import type { Database } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { headSeq, trailAfter } from '../support/world.ts'

/** Sends `METHOD /path`; an object goes as JSON, a text as it is. */
export type Send = (line: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

/** Requests with this credential; null = without one. */
export function sendAs(running: Pick<Running, 'send'>, key: string | null): Send {
  return (line, body, headers = {}) => {
    const [method = '', path = ''] = line.split(' ')
    return running.send(path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }
}

/** The same store opened beside the server, to plant what no operation makes and to read what is stored. */
export function openBeside(database: Database, { place }: Running): Promise<Instance> {
  return openInstance(database, place)
}

/** One request of a scenario and what it must do. */
export interface Step {
  /** What is special about it. */
  it: string
  as: string | null
  send: [line: string, body?: unknown, headers?: Record<string, string>]
  status: number
  /** Members the answer has, at least. */
  has?: object
  /** Texts the answer does not hold. */
  hasNot?: string[]
  /** The rows it leaves in the trail; absent = not asked. */
  audits?: Partial<AuditRow>[]
}

/** Plays one step of a scenario. */
export async function play(running: Running, beside: Instance, step: Step): Promise<Answer> {
  const before = await headSeq(beside)
  const answer = await sendAs(running, step.as)(...step.send)
  expect([step.it, answer.status, answer.text.slice(0, 400)]).toEqual([
    step.it,
    step.status,
    expect.any(String),
  ])
  if (step.has !== undefined) expect(answer.json).toMatchObject(step.has)
  for (const text of step.hasNot ?? []) expect(answer.text).not.toContain(text)
  if (step.audits !== undefined) {
    const rows = await trailAfter(beside, before)
    expect(rows).toMatchObject(step.audits)
    expect(rows).toHaveLength(step.audits.length)
  }
  return answer
}
