import { openServing, type Running } from '../http/serving.ts'
import type { Database } from '../support/databases.ts'
import { openRoad, type Road } from './road.ts'

export interface Made {
  id: string
  secret: string
}

/** A real Tokenwright that knows two servers, and the road guards take to it. */
export interface World extends Running {
  road: Road
  /** A key of the role validator. */
  key: string
  servers: { weather: string; other: string }
  /** Calls an operation as admin; a refusal fails the test. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  op(name: string, input?: object): Promise<any>
  /** A token that reaches the server `weather` unless other access is given. */
  token(input?: object): Promise<Made>
}

export async function openWorld(database: Database): Promise<World> {
  const running = await openServing(database)
  const op: World['op'] = async (name, input = {}) => {
    const { status, json, text } = await running.call(name, input)
    if (status >= 400) throw new Error(`${name}: ${text}`)
    return json
  }
  const { secret: key } = await op('create_management_key', { name: 'guard', role: 'validator' })
  const weather = (await op('create_server', { name: 'weather' })).server
  const other = (await op('create_server', { name: 'other' })).server
  const road = await openRoad(running.url)
  return {
    ...running,
    road,
    key,
    servers: { weather: weather.id, other: other.id },
    op,
    async token(input = {}) {
      const access = { servers: [weather.id] }
      const asked = { name: 'made', delivery: 'inline', access, ...input }
      const { token, delivery } = await op('create_token', asked)
      return { id: token.id, secret: delivery.secret }
    },
    async close() {
      await road.close()
      await running.close()
    },
  }
}
