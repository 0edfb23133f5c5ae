import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

/** RE2 in JavaScript; read when the first pattern comes, as loading it takes longer than many a start has. */
export function patternEngine(): typeof import('re2js') {
  return load('re2js') as typeof import('re2js')
}
