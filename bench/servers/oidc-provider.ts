import { generateKeyPairSync, randomBytes } from 'node:crypto'
import Provider, { type Adapter, type AdapterPayload } from 'oidc-provider'
import { shuffled } from '../lib/bare.ts'
import { listen } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

interface Start {
  count: number
}

const client_secret = randomBytes(32).toString('hex')

/**
 * oidc-provider's token introspection of opaque access tokens. In its favour: they live in a Map of the process (no
 * database at all), and the request names the token type, so that it looks in the fewest places.
 */
answer({
  async start({ count }: Start) {
    const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const provider = new Provider('http://127.0.0.1', {
      adapter: memory,
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
    for (let i = 0; i < count; i++) tokens.push(await new provider.ClientCredentials({ client, scope: 'weather' }).save())
    const port = await listen(provider.callback())
    const authorization = `Basic ${Buffer.from(`bench:${client_secret}`).toString('base64')}`
    return { port, authorization, tokens: shuffled(tokens).slice(0, 10_000) }
  },
})

function memory(): Adapter {
  const rows = new Map<string, AdapterPayload>()
  return {
    upsert: async (id, payload) => void rows.set(id, payload),
    find: async (id) => rows.get(id),
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
    consume: async () => undefined,
    destroy: async (id) => void rows.delete(id),
    revokeByGrantId: async () => undefined,
  }
}
