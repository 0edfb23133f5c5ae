import type { Tool } from './options.ts'

/**
 * The tool a parsed JSON-RPC message calls; undefined = none. Null where it cannot be told, as for a batch that calls
 * several: a guard refuses that. The server must act on the same parsed body, never on one it reads for itself.
 */
export function toolOf(body: unknown): Tool {
  const calls = (Array.isArray(body) ? body : [body]).filter(
    (message: { method?: unknown } | null | undefined) => message?.method === 'tools/call',
  )
  const [name, ...others] = new Set(calls.map((call) => call.params?.name))
  if (calls.length === 0) return undefined
  return typeof name === 'string' && others.length === 0 ? name : null
}
