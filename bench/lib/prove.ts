import type { Target } from './load.ts'

/** Throws unless the endpoint accepts what is good and refuses what is not: a validator that says yes to all is no peer. */
export async function prove(name: string, target: Target): Promise<void> {
  const good = await ask(target, target.bodies[0] ?? '')
  if (!good.includes(target.expect)) throw new Error(`${name} refuses what is good: ${good.slice(0, 300)}`)
  if (target.refuse === undefined) return
  const bad = await ask(target, target.refuse.body)
  if (!bad.includes(target.refuse.expect) || bad.includes(target.expect)) {
    throw new Error(`${name} does not refuse what is bad: ${bad.slice(0, 300)}`)
  }
}

async function ask({ port, path, headers }: Target, body: string): Promise<string> {
  const sent = { 'content-type': 'application/json', ...headers }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: sent, body })
  return response.text()
}
