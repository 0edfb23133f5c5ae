import { type Fence, type FenceOptions, makeFence as makeFenceOf } from '../http/fence.ts'
import { UpstreamFault } from './conduit.ts'

/** The fence around requests to servers; what does not pass is an `UpstreamFault`. */
export function makeFence(options: Omit<FenceOptions, 'fault'>): Fence {
  return makeFenceOf({ ...options, fault: (problem, message) => new UpstreamFault(problem, message) })
}
