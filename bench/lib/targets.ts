import { bareSecret } from './bare.ts'
import { startChild } from './child.ts'
import type { Target } from './load.ts'

interface Address {
  port: number
  pid: number
}

type Storage = 'database' | 'memory'

export interface Started {
  target: Target
  stop(): Promise<void>
}

export function lookupTarget({ port, pid }: Address, secrets: string[]): Target {
  const body = (token: string) => JSON.stringify({ token })
  return {
    port,
    pid,
    path: '/',
    headers: {},
    bodies: secrets.map(body),
    expect: '"valid":true',
    refuse: { body: body(bareSecret()), expect: '"valid":false' },
  }
}

export async function startLookup(dir: string, secrets: string[]): Promise<Started> {
  const child = startChild('bare-lookup')
  const port = await child.call<number>('start', { dir })
  return { stop: child.stop, target: lookupTarget({ port, pid: child.pid }, secrets) }
}

/** The echo gets what the subject gets, byte for byte. */
export async function startEcho({ path, headers, bodies }: Target): Promise<Started> {
  const child = startChild('bare-echo')
  const port = await child.call<number>('start')
  return { stop: child.stop, target: { port, pid: child.pid, path, headers, bodies, expect: '"valid":true' } }
}

export async function startBetterAuth(
  dir: string,
  count: number,
  storage: 'database' | 'memory',
): Promise<Started> {
  const child = startChild('better-auth')
  const { port, keys } = await child.call<{ port: number; keys: string[] }>('start', { dir, count, storage })
  const body = (key: string) => JSON.stringify({ key })
  const target = {
    port,
    pid: child.pid,
    path: '/',
    headers: {},
    bodies: keys.map(body),
    expect: '"valid":true',
    refuse: { body: body('a'.repeat(64)), expect: '"valid":false' },
  }
  return { stop: child.stop, target }
}

export async function startOidcProvider(dir: string, count: number, storage: Storage): Promise<Started> {
  const child = startChild('oidc-provider')
  const { port, authorization, tokens } = await child.call<Oidc>('start', { dir, count, storage })
  const body = (token: string) => `token=${token}&token_type_hint=access_token`
  const target = {
    port,
    pid: child.pid,
    path: '/token/introspection',
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    bodies: tokens.map(body),
    expect: '"active":true',
    refuse: { body: body('a'.repeat(43)), expect: '"active":false' },
  }
  return { stop: child.stop, target }
}

interface Oidc {
  authorization: string
  port: number
  tokens: string[]
}
