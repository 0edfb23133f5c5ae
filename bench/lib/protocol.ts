/** What parent and child say to each other over IPC. */
export interface Ask {
  id: number
  name: string
  args: unknown
}

export interface Reply {
  id: number
  result?: unknown
  error?: string
}

type Handlers = Record<string, (args: never) => unknown>

/** In a child: answers the parent's calls by name until the parent is gone. */
export function answer(handlers: Handlers): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', async ({ id, name, args }: Ask) => {
    const reply = await run(handlers, name, args).then(
      (result): Reply => ({ id, result }),
      (error: unknown): Reply => ({
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    )
    process.send?.(reply)
  })
}

async function run(handlers: Handlers, name: string, args: unknown): Promise<unknown> {
  const handler = handlers[name]
  if (handler === undefined) throw new Error(`this child has no '${name}'`)
  return handler(args as never)
}
