import type { tools } from '../../../tools/index.ts'
import type { Run } from '../resources/kind.ts'
import type { SourceName } from '../sources.ts'
import type { Json } from '../surface.ts'

export type ToolName = keyof typeof tools

export interface Argument {
  name: string
  description: string
  required?: boolean
  /** What its values are completed from. */
  completes?: SourceName
}

/** What a prompt is written from. */
export interface Writing {
  /** The arguments by name; those that were left out are absent. */
  given: Readonly<Record<string, string>>
  run: Run
  /** Whether the caller has that tool here. */
  offers(tool: ToolName): boolean
  /** ms */
  now: number
}

export interface Written {
  text: string
  /** Resources the text is about. */
  links?: readonly Json[]
}

/** A runbook a person can start by name. */
export interface Prompt {
  name: string
  title: string
  description: string
  /** Whose icon it has. */
  toolset: string
  arguments: readonly Argument[]
  /** Without these tools the caller is not shown it. */
  uses: readonly ToolName[]
  write(writing: Writing): Promise<Written>
}
