import { type Context, type Row, race, sendAll } from '../lib/context.ts'
import { atLeast, compare, type Goal, type Line } from '../lib/line.ts'
import type { LoadResult } from '../lib/load.ts'
import { startBetterAuth, startOidcProvider } from '../lib/targets.ts'

const connections = 32

/** The same question to libraries that people use for it, with as many keys in their store as we have tokens. */
export const peers: Row = {
  number: 3,
  title: 'validate against peers',
  async run(context) {
    const { loader, subject, plan, own } = context
    const size = Math.min(100_000, plan.sizes.at(-1) ?? 0)
    const ours = await context.seedSubject(size)
    const server = own(await subject.startServer(ours.dir))
    const validate = subject.validateTarget(server, ours.secrets)
    await loader.aim('validate', validate)
    const introspect = subject.introspectTarget(server, ours.secrets)
    await loader.aim('introspect', introspect)
    await loader.aim('auth', own(await startBetterAuth(context.dir('better-auth'), size, 'database')).target)
    await loader.aim('memory', own(await startBetterAuth(context.dir('memory'), size, 'memory')).target)
    await loader.aim('oidcSqlite', own(await startOidcProvider(context.dir('oidc'), size, 'database')).target)
    await loader.aim('oidc', own(await startOidcProvider('', size, 'memory')).target)
    await sendAll(context, 'validate', ours.secrets.length)
    const results = await race(context, connections, names)
    return report(context, size, results)
  },
}

const names = ['validate', 'auth', 'memory', 'introspect', 'oidc', 'oidcSqlite'] as const

type Results = Record<(typeof names)[number], LoadResult[]>

function report({ subject }: Context, size: number, results: Results): Line[] {
  const at = `${connections} connections, ${size.toLocaleString('en')} tokens`
  const line = (ours: 'validate' | 'introspect', peer: keyof Results, name: string, goal?: Goal) =>
    compare(
      3,
      `${ours === 'validate' ? 'validate_token' : 'introspect'}, ${at}`,
      { name: subject.name, values: results[ours].map((one) => one.rate), unit: '/s' },
      { name, values: results[peer].map((one) => one.rate), unit: '/s' },
      goal,
    )
  return [
    line('validate', 'auth', 'better-auth, SQLite', atLeast(10)),
    line('validate', 'memory', 'better-auth, in memory'),
    line('introspect', 'oidc', 'oidc-provider, in memory', atLeast(3)),
    line('introspect', 'oidcSqlite', 'oidc-provider, SQLite'),
  ]
}
