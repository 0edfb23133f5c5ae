import { toolsets } from '../../../tools/index.ts'
import type { AnyOperation } from '../../core/operation.ts'
import { credentials } from '../../core/with-password.ts'
import { nativeError, nativeErrorBody } from '../../http/errors.ts'
import { isNative, routeOf } from '../native.ts'
import type { Chapter, Described } from './described.ts'
import { refusalsOf } from './refusals.ts'

/** `POST /v1/<name>`, a chapter for each set of operations. */
export function nativeChapters(): Chapter[] {
  return Object.entries(toolsets).map(([set, { about, operations }]) => ({
    tag: set,
    about,
    family: 'v1',
    refusal: nativeErrorBody,
    routes: operations.filter(isNative).map(describe),
  }))
}

function describe(operation: AnyOperation): Described {
  const { name, title, description, permission, effect, retryable = false, input, output } = operation
  const { template, status } = routeOf(operation)
  const signsIn = operation.credential === 'password'
  const open = permission === 'public' || signsIn
  const facts = {
    effect,
    public: permission === 'public',
    body: true,
    query: false,
    names: Object.keys(input.shape).length > 0,
    retryable,
    all: false,
  }
  return {
    method: 'POST',
    path: template,
    id: name,
    summary: title,
    about: open ? description : `${description} Needs ${permission}.`,
    public: open,
    retryable,
    body: signsIn ? input.extend(credentials.shape) : input,
    answers: { [status]: { about: 'Done.', schema: output } },
    refusals: refusalsOf(facts, (error) => nativeError(error, '').status),
  }
}
