import { iconsOf } from './icons.ts'
import { instructions } from './instructions.ts'
import type { Surface } from './surface.ts'

/** What Tokenwright says of itself when a conversation begins. */
export function offered(version: string): Pick<Surface, 'info' | 'instructions' | 'capabilities'> {
  return {
    info: { name: 'tokenwright', title: 'Tokenwright', version, icons: iconsOf('tokens') },
    instructions,
    capabilities: {
      tools: { listChanged: false },
      resources: { subscribe: true, listChanged: false },
      prompts: { listChanged: false },
      completions: {},
    },
  }
}

/** The methods of the protocol that Tokenwright answers. */
export const methodNames = [
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
] as const

export type MethodName = (typeof methodNames)[number]
