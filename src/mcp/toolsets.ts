import { toolsets } from '../../tools/index.ts'
import { AppError } from '../core/errors.ts'
import type { AnyOperation } from '../core/operation.ts'

/** What an MCP server of this process offers, fixed at its start. */
export interface McpOptions {
  /** Sets to offer beside the default ones. */
  toolsets: readonly string[]
  /** Offers nothing but reading; wins over everything else. */
  readOnly: boolean
  version: string
}

/** The operations that are offered as tools, in the order of `tools/index.ts`; throws `invalid_input` for an unknown set. */
export function chosen({ toolsets: asked, readOnly }: Omit<McpOptions, 'version'>): AnyOperation[] {
  const unknown = asked.find((name) => !Object.hasOwn(toolsets, name))
  if (unknown !== undefined) {
    const known = Object.keys(toolsets).join(', ')
    throw new AppError('invalid_input', `There is no toolset "${unknown}". The toolsets are ${known}.`, {
      field: 'toolsets',
    })
  }
  const offered = Object.entries(toolsets).filter(([name, set]) => set.default || asked.includes(name))
  const operations = new Set(offered.flatMap(([, set]) => set.operations))
  return [...operations].filter(({ faces, effect, credential }) => {
    // A password has no place in a conversation.
    if (credential !== undefined || (faces !== undefined && !faces.includes('mcp'))) return false
    return !readOnly || effect === 'read'
  })
}
