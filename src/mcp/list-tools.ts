import { rpc } from '../http/rpc.ts'
import { covers, type Listed } from './listed.ts'
import { protocolError } from './refusals.ts'
import type { Method, Turn } from './surface.ts'

/** Lists the tools a caller is shown (`tools/list`); the answer for the same tools is one frozen object. */
export function listTools(listed: readonly Listed[]): Method {
  const answers = new Map<string, { tools: Listed['tool'][] }>()
  return ({ caller, params }: Turn) => {
    if (params['cursor'] !== undefined)
      throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
    const shown = listed.filter((one) => covers(caller.actor, one)).map(({ tool }) => tool)
    const key = shown.map(({ name }) => name).join(' ')
    const answer = answers.get(key) ?? Object.freeze({ tools: shown })
    answers.set(key, answer)
    return answer
  }
}
