import { join } from 'node:path'
import { prove } from './prove.ts'
import { startBetterAuth, startOidcProvider } from './targets.ts'

/** Starts each peer with a few keys and throws unless it accepts a good one and refuses a bad one. */
export async function checkPeers(dir: string): Promise<void> {
  const peers = {
    'better-auth in SQLite': await startBetterAuth(join(dir, 'database'), 5, 'database'),
    'better-auth in memory': await startBetterAuth(join(dir, 'memory'), 5, 'memory'),
    'oidc-provider in SQLite': await startOidcProvider(join(dir, 'oidc'), 5, 'database'),
    'oidc-provider in memory': await startOidcProvider(dir, 5, 'memory'),
  }
  for (const [name, { target, stop }] of Object.entries(peers)) {
    await prove(name, target)
    await prove(name, { ...target, bodies: target.bodies.slice(-1) })
    await stop()
    console.log(`${name}: accepts a good key, refuses a bad one`)
  }
}
