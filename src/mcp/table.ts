import { z } from 'zod'
import type { AnyOperation } from '../core/operation.ts'
import { inTwoSteps } from '../core/two-steps.ts'
import { inputSchema, type JsonSchema, modelInput, outputSchema } from './schema.ts'

/** A tool as it is listed; plain data of the protocol, of no version of an SDK. */
export interface Tool {
  name: string
  title: string
  description: string
  inputSchema: JsonSchema
  outputSchema: JsonSchema
  annotations: {
    title: string
    readOnlyHint: boolean
    destructiveHint: boolean
    idempotentHint: boolean
    openWorldHint: boolean
  }
}

/** An operation beside its tool, and the schema of the part of its output that a model is shown. */
export interface Offer {
  operation: AnyOperation
  tool: Tool
  /** The part of the operation's input that models may give. */
  input: z.ZodObject
  answer: z.ZodObject
}

export type Table = ReadonlyMap<string, Offer>

/** The tools of a process by name, converted once and frozen. */
export function makeTable(operations: readonly AnyOperation[]): Table {
  return new Map(operations.map((operation) => [operation.name, offerOf(operation)]))
}

function offerOf(plain: AnyOperation): Offer {
  const operation = inTwoSteps(plain)
  const { name, title, description, effect } = operation
  const input = modelInput(operation.input)
  const answer = operation.short ?? operation.output
  const tool: Tool = {
    name,
    title,
    description,
    inputSchema: inputSchema(input),
    outputSchema: { ...outputSchema(answer, operation.short !== undefined), ...eitherOf(plain) },
    annotations: {
      title,
      readOnlyHint: effect === 'read',
      // The protocol calls everything destructive that does more than add.
      destructiveHint: effect === 'change' || effect === 'destroy',
      idempotentHint: effect === 'read' || operation.idempotent === true,
      openWorldHint: false,
    },
  }
  return Object.freeze({ operation, input, answer, tool: frozen(tool) })
}

/** A dry run answers the preview alone, anything else all the rest. */
function eitherOf({ short, output, effect, confirms }: AnyOperation): object {
  if (effect !== 'destroy' && confirms !== true) return {}
  const answer: z.ZodObject = short ?? output
  const rest = Object.entries(answer.shape).filter(
    ([name, member]) => name !== 'preview' && (confirms === true || !(member instanceof z.ZodOptional)),
  )
  return { anyOf: [{ required: ['preview'] }, { required: rest.map(([name]) => name) }] }
}

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) frozen(member)
  return Object.freeze(value)
}
