export interface Idle {
  /** Something was written. */
  wrote(): void
  stop(): void
}

/** Does `work` once writers have been quiet for `quiet` ms, and again while it answers that it could not finish. */
export function whenIdle(work: () => Promise<boolean>, quiet = 1_000): Idle {
  let last = 0
  let timer: NodeJS.Timeout | undefined
  const arm = () => {
    timer = setTimeout(look, quiet)
    timer.unref()
  }
  const look = async () => {
    timer = undefined
    const finished = Date.now() - last >= quiet && (await work().catch(() => true))
    if (!finished && timer === undefined) arm()
  }
  return {
    wrote() {
      last = Date.now()
      if (timer === undefined) arm()
    },
    stop: () => clearTimeout(timer),
  }
}
