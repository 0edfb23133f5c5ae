import { bareVerifier, openBare } from '../lib/bare.ts'
import { bareChanges } from '../lib/bare-changes.ts'
import { answer } from '../lib/protocol.ts'
import { repeat } from '../lib/repeat.ts'

let verify: (secret: string) => boolean = () => false
let changes: ReturnType<typeof bareChanges>
let secrets: string[] = []
const ids: string[] = []

/** The bare store in a process of its own; each measurement answers operations per second. */
answer({
  open(args: { dir: string; secrets: string[] }) {
    const db = openBare(args.dir)
    verify = bareVerifier(openBare(args.dir, true))
    changes = bareChanges(db)
    secrets = args.secrets
    for (let i = 0; i < 200; i++) ids.push(changes.create().id)
  },
  verify: ({ ms }: { ms: number }) => repeat(ms, (i) => verify(secrets[i % secrets.length] as string)),
  create: ({ ms }: { ms: number }) => repeat(ms, () => changes.create()),
  rotate: ({ ms }: { ms: number }) => repeat(ms, (i) => changes.rotate(ids[i % ids.length] as string)),
})
