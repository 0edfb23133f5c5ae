import type { Deed } from '../../core/changes.ts'
import type { Caller } from '../../core/context.ts'
import type { Core } from '../../core/invoke.ts'
import { presentedBy } from '../../core/still-good.ts'
import { isId } from '../../domain/id.ts'
import type { Surface } from '../surface.ts'
import { expiringUri } from './expiring.ts'
import { groupUri } from './group.ts'
import { isReadable } from './read.ts'
import { mostFollowed } from './subscribe.ts'
import { tokenUri } from './token.ts'
import { auditUri } from './token-audit.ts'

type Watch = Required<Pick<Surface, 'watch' | 'watchable'>>

/** How clients are told of changes, by whichever process they were made. */
export function watching(core: Core): Watch {
  return {
    watch: (caller, wants, tell, any = () => true) =>
      core.changes.follow({
        listens: any,
        async heard(deeds) {
          const touched = new Set(deeds.flatMap(touchedBy).filter(wants))
          if (touched.size === 0 || !(await isStillIn(core, caller()))) return
          for (const uri of touched) if (await isReadable(core, caller(), uri)) tell(uri)
        },
      }),
    async watchable(caller, uris) {
      const readable: string[] = []
      for (const uri of uris.slice(0, mostFollowed))
        if (await isReadable(core, caller, uri)) readable.push(uri)
      await core.changes.begin()
      return readable
    },
  }
}

/** A caller whose credential has ended hears nothing more. */
async function isStillIn(core: Core, caller: Caller): Promise<boolean> {
  const presented = presentedBy(caller)
  if (presented === undefined) return caller.actor.kind === 'local'
  const [good] = await core.stillGood([presented])
  return good === true
}

/** The resources that an event of the trail is about. */
function touchedBy({ target_id: id, outcome }: Deed): string[] {
  if (id === null) return []
  if (isId('group', id)) return outcome === 'ok' ? [groupUri(id)] : []
  if (!isId('token', id)) return []
  return outcome === 'ok' ? [tokenUri(id), auditUri(id), expiringUri] : [auditUri(id)]
}
