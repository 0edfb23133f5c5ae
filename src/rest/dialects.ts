import type { Dialect } from './dialect.ts'
import { enkrypt } from './enkrypt/dialect.ts'
import { gassapi } from './gassapi/dialect.ts'
import { mctx } from './mctx/dialect.ts'
import { metorial } from './metorial/dialect.ts'

/** Every dialect that is served; `base` is the address people reach the server at, without a slash at the end. */
export function dialectsOf(base: () => string): Dialect[] {
  return [gassapi, enkrypt, mctx, metorial(base)]
}
