import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import Provider, { type Adapter, type AdapterPayload } from 'oidc-provider'
import { shuffled } from '../lib/bare.ts'
import { listen } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

interface Start {
  dir: string
  count: number
  storage: 'database' | 'memory'
}

const client_secret = randomBytes(32).toString('hex')

/**
 * oidc-provider's token introspection of opaque access tokens. In its favour: the request names the token type, so that
 * it looks in the fewest places, and with `memory` they live in a Map of the process, no database at all.
 */
answer({
  async start({ dir, count, storage }: Start) {
    const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const provider = new Provider('http://127.0.0.1', {
      adapter: storage === 'memory' ? memory : database(dir),
      jwks: { keys: [{ ...jwk, use: 'sig', alg: 'ES256' }] } as never,
      cookies: { keys: [randomBytes(32).toString('hex')] },
      clients: [
        {
          client_id: 'bench',
          client_secret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          token_endpoint_auth_method: 'client_secret_basic',
          id_token_signed_response_alg: 'ES256',
        },
      ],
      scopes: ['weather'],
      ttl: { ClientCredentials: 86_400 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
      },
    })
    const client = await provider.Client.find('bench')
    if (client === undefined) throw new Error('oidc-provider does not know its client')
    const tokens: string[] = []
    for (let i = 0; i < count; i++)
      tokens.push(await new provider.ClientCredentials({ client, scope: 'weather' }).save())
    const port = await listen(provider.callback())
    const authorization = `Basic ${Buffer.from(`bench:${client_secret}`).toString('base64')}`
    return { port, authorization, tokens: shuffled(tokens).slice(0, 10_000) }
  },
})

function memory(): Adapter {
  const rows = new Map<string, AdapterPayload>()
  return {
    ...unused,
    upsert: async (id, payload) => void rows.set(id, payload),
    find: async (id) => rows.get(id),
  }
}

/** One table by id, prepared once: the least that a store of it can be. */
function database(dir: string): (model: string) => Adapter {
  mkdirSync(dir, { recursive: true })
  const db = new Database(join(dir, 'oidc.db'))
  db.pragma('journal_mode = wal')
  db.pragma('synchronous = normal')
  db.pragma('mmap_size = 536870912')
  db.exec(
    'create table models (model text, id text, payload text, primary key (model, id)) strict, without rowid',
  )
  const insert = db.prepare('insert or replace into models values (?, ?, ?)')
  const select = db.prepare<[string, string], { payload: string }>(
    'select payload from models where model = ? and id = ?',
  )
  return (model) => ({
    ...unused,
    upsert: async (id, payload) => void insert.run(model, id, JSON.stringify(payload)),
    async find(id) {
      const row = select.get(model, id)
      return row === undefined ? undefined : (JSON.parse(row.payload) as AdapterPayload)
    },
  })
}

const unused = {
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
}
