import { z } from 'zod'
import type { AnyOperation } from '../core/operation.ts'
import { bare, isSecret } from '../core/text-input.ts'
import { settingsSchema } from '../domain/settings.ts'
import { tableLines } from './table.ts'
import { inline, jsonText, pad } from './text.ts'
import type { Terminal } from './world.ts'

/** Prints an answer: one JSON document, or on a terminal a table or a list of facts. */
export function printAnswer(
  terminal: Terminal,
  operation: AnyOperation,
  output: unknown,
  asJson: boolean,
): void {
  const { stdout, styled } = terminal
  const text =
    asJson || !stdout.isTTY ? jsonText(output) : view(operation, output, stdout.columns || 80, styled)
  stdout.write(text)
}

/** The view for people. Secrets stand apart, once; in tables they are left out. */
export function view(operation: AnyOperation, output: unknown, columns: number, styled: boolean): string {
  const shape: z.ZodObject = operation.short ?? operation.output
  const shown = shape.safeParse(output)
  const revealed: string[] = []
  const plain = withoutSecrets(operation.output, shown.success ? shown.data : output, revealed)
  const body = Object.entries(plain as object).flatMap(([name, value]) =>
    section(name, value, columns, styled),
  )
  const secrets = revealed.map((secret) => `\n  ${secret}\n`)
  return `${[...body, ...secrets].join('\n')}\n`
}

function section(name: string, value: unknown, columns: number, styled: boolean): string[] {
  if (Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null)) {
    return value.length === 0 ? [`No ${name.replaceAll('_', ' ')}.`] : tableLines(value, columns, styled)
  }
  if (Array.isArray(value)) return [`${name}:`, ...value.map((item) => `  ${inline(item)}`)]
  const counted = countedOf(value)
  if (counted !== undefined) return [`${name}: ${counted}`]
  if (typeof value === 'object' && value !== null) return facts(value)
  return value === null ? [] : [`${name}: ${inline(value)}`]
}

/** How many things there are, and those of them that are told. */
function countedOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('count' in value)) return undefined
  const [list, another] = Object.values(value).filter(Array.isArray)
  if (list === undefined || another !== undefined || Object.keys(value).length !== 2) return undefined
  return list.length === 0 ? inline(value.count) : `${inline(value.count)} (${inline(list)})`
}

/** What an empty value means where it must not be overlooked; the rest is left out. */
function none(name: string): string {
  if (name === 'access') return 'nothing yet'
  return name in settingsSchema.shape ? 'not set' : ''
}

function facts(value: object): string[] {
  const told = Object.entries(value)
    .map(([name, held]) => [name, inline(held) || none(name)] as const)
    .filter(([, text]) => text !== '')
  const width = Math.max(0, ...told.map(([name]) => name.length))
  return told.map(([name, text]) => `${pad(name, width)}  ${text}`)
}

/** Takes out what the schema marks as secret; what stands outside of lists is kept to be shown on its own. */
function withoutSecrets(schema: unknown, value: unknown, revealed: string[] | undefined): unknown {
  if (isSecret(schema)) {
    if (typeof value === 'string') revealed?.push(inline(value))
    return revealed === undefined ? '[secret]' : null
  }
  const inner = bare(schema)
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item) => withoutSecrets(inner.element, item, undefined))
  }
  if (!(inner instanceof z.ZodObject) || typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, held]) => [
    name,
    withoutSecrets(inner.shape[name], held, revealed),
  ])
  return Object.fromEntries(entries)
}
