import { instructions } from './instructions.ts'
import type { Surface } from './surface.ts'

/** What Tokenwright says of itself when a conversation begins. */
export function offered(version: string): Pick<Surface, 'info' | 'instructions' | 'capabilities'> {
  return {
    info: { name: 'tokenwright', title: 'Tokenwright', version },
    instructions,
    capabilities: { tools: { listChanged: false } },
  }
}

/** The methods of the protocol that Tokenwright answers. */
export const methodNames = ['tools/list', 'tools/call'] as const

export type MethodName = (typeof methodNames)[number]
