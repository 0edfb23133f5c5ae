import type { Caller } from '../../core/context.ts'
import { AppError } from '../../core/errors.ts'
import type { Core } from '../../core/invoke.ts'
import { rpc } from '../../http/rpc.ts'
import { resourceNotFound } from '../faults.ts'
import { protocolError } from '../refusals.ts'
import type { Json, Turn } from '../surface.ts'
import { kindOf } from './index.ts'
import { mimeType, runFor } from './kind.ts'

/** Reads a resource (`resources/read`). */
export async function readResource(core: Core, { caller, params }: Turn): Promise<Json> {
  const uri = uriOf(params)
  return { contents: [{ uri, mimeType, text: JSON.stringify(await contentsOf(core, caller, uri)) }] }
}

/** The address a request is about. */
export function uriOf({ uri }: Json): string {
  if (typeof uri === 'string') return uri
  throw protocolError(rpc.params, 'uri: the address of a resource is missing.')
}

/** What stands behind an address for this caller; throws the protocol's error if there is nothing. */
export async function contentsOf(core: Core, caller: Caller, uri: string): Promise<object> {
  const found = kindOf(uri)
  if (found === undefined) throw resourceNotFound(uri)
  try {
    return await found.kind.read(runFor(core, caller), found.id, core.clock())
  } catch (error) {
    throw isOutOfReach(error) ? resourceNotFound(uri) : error
  }
}

/** Whether the caller may read what stands behind an address; a store that is down is thrown, never a no. */
export async function isReadable(core: Core, caller: Caller, uri: string): Promise<boolean> {
  const found = kindOf(uri)
  if (found === undefined) return false
  try {
    await found.kind.read(runFor(core, caller), found.id, core.clock())
    return true
  } catch (error) {
    if (isOutOfReach(error) || (error instanceof AppError && error.code === 'unauthenticated')) return false
    throw error
  }
}

function isOutOfReach(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'not_found' || error.code === 'forbidden')
}
