import { rpc } from '../http/rpc.ts'
import { iconsOf } from './icons.ts'
import { covers, type Listed } from './listed.ts'
import { protocolError } from './refusals.ts'
import type { Icon, Method, Turn } from './surface.ts'

/** Lists the tools a caller is shown (`tools/list`); the answer for the same tools is one frozen object. */
export function listTools(listed: readonly Listed[]): Method {
  const answers = new Map<string, { tools: Drawn[] }>()
  return ({ caller, params }: Turn) => {
    if (params['cursor'] !== undefined)
      throw protocolError(rpc.params, 'The list has one page; leave cursor out.')
    const shown = listed.filter((one) => covers(caller.actor, one))
    const key = shown.map(({ tool }) => tool.name).join(' ')
    const answer = answers.get(key) ?? Object.freeze({ tools: shown.map(withIcon) })
    answers.set(key, answer)
    return answer
  }
}

type Drawn = Listed['tool'] & { icons?: Icon[] }

/** The default set goes without: it is read in every conversation and has 40 KB to stay within; the server carries its icon. */
function withIcon({ tool, set }: Listed): Drawn {
  return set === 'tokens' ? tool : { ...tool, icons: iconsOf(set) }
}
