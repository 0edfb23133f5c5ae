import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const watcher = `
  const { parentPort } = require('node:worker_threads')
  let last = performance.now()
  let longest = 0
  setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 2)
  parentPort.on('message', () => parentPort.postMessage(longest))
  parentPort.postMessage('ready')
`

/**
 * Watches the event loop of this thread, and beside it that of a thread which does nothing: a machine that is busy with
 * other processes holds up both, a blocking call of ours only the first. Answers the longest gaps, ms.
 */
export async function watchLoops(): Promise<() => Promise<{ ours: number; idle: number }>> {
  const idle = new Worker(watcher, { eval: true })
  await once(idle, 'message')
  let last = performance.now()
  let longest = 0
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 2)
  return async () => {
    clearInterval(timer)
    const ours = Math.max(longest, performance.now() - last)
    idle.postMessage('how long')
    const [gap] = (await once(idle, 'message')) as [number]
    await idle.terminate()
    return { ours, idle: gap }
  }
}
