import type { HttpFace } from '../../http/types.ts'
import type { Surface } from '../surface.ts'
import type { EraRoutes } from '../visit.ts'

/** The second era (2026-07-28) over HTTP. */
export function secondRoutes(_face: HttpFace, _surface: Surface): EraRoutes {
  throw new Error('in work')
}
