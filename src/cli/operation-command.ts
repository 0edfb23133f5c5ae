import { readFile, stat } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { AppError } from '../core/errors.ts'
import type { AnyOperation } from '../core/operation.ts'
import { parseInput } from '../core/parse.ts'
import { readText, type TextMember, textMembers } from '../core/text-input.ts'
import { scanJson } from '../domain/json-scan.ts'
import { confirmed, secretFrom, wholeOf } from './ask.ts'
import { printAnswer } from './print.ts'
import { addProcessFlags, processFlagsOf } from './process-flags.ts'
import { callInSteps, nextStep } from './two-steps.ts'
import type { Given, World } from './world.ts'

const largest = 256 * 1024

/** The command of an operation: a flag for each member of its input, and all of them at once as JSON. */
export function operationCommand(
  parent: Command,
  world: World,
  operation: AnyOperation,
  name: string,
  after: (output: unknown) => void = () => undefined,
): Command {
  const command = parent.command(name).summary(operation.title).description(operation.description)
  const members = textMembers(operation.input)
  command.optionsGroup('Input:')
  for (const member of members) addFlag(command, member)
  command.option('--json-input <file>', 'JSON object with the whole input; - reads standard input')
  addCommonFlags(command, world, operation)
  return command.action(async () => {
    const given = command.optsWithGlobals()
    after(await runOperation(world, operation, given, await inputOf(world, members, given)))
  })
}

/** Flags that every command running an operation has beside its input. */
export function addCommonFlags(command: Command, world: World, operation: AnyOperation): void {
  command.optionsGroup('Options:')
  command.option('--json', 'print JSON on a terminal too')
  if (asksFirst(operation)) command.option('--yes', 'do not ask')
  addProcessFlags(command, world, 'command')
}

/** Checks, asks where something is lost for good, runs, prints and answers the output. */
export async function runOperation(
  world: World,
  operation: AnyOperation,
  given: Given,
  input: object,
): Promise<unknown> {
  const output = await callOperation(world, operation, given, input)
  const { terminal } = world
  printAnswer(terminal, operation, output, given['json'] === true)
  const isShown = operation.confirms === true && 'dry_run' in input && input.dry_run === true
  if (isShown && terminal.stdout.isTTY && given['json'] !== true) terminal.stdout.write(nextStep(output))
  return output
}

/** Checks, asks where something is lost for good, runs and answers the output. */
export async function callOperation(
  world: World,
  operation: AnyOperation,
  given: Given,
  input: object,
): Promise<unknown> {
  const parsed = parseInput(operation, input)
  if (asksFirst(operation) && given['yes'] !== true) {
    operation.check?.(parsed, new Date().toISOString())
    await agree(world, operation, operation.target?.(parsed))
  }
  const session = await world.connect(processFlagsOf(world, given))
  try {
    if (operation.confirms === true) return await callInSteps(world.terminal, session, operation, input)
    return await session.call(operation, input)
  } finally {
    await session.close()
  }
}

/** What takes two steps asks in its own way. */
function asksFirst({ effect, confirms }: AnyOperation): boolean {
  return effect === 'destroy' && confirms !== true
}

async function agree(world: World, operation: AnyOperation, target = ''): Promise<void> {
  const { stdin, stderr } = world.terminal
  const what = `${operation.title} ${target}`.trim()
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new AppError('invalid_input', `"${what}" cannot be undone; add --yes to do it without a question.`)
  }
  if (await confirmed(world.terminal, `${what}: this cannot be undone. Go on?`)) return
  throw new AppError('invalid_input', 'Nothing was changed.')
}

function addFlag(command: Command, member: TextMember): void {
  const flag = flagOf(member.name)
  const words = isLong(member.choices) ? ` One of ${member.choices?.join(', ')}.` : ''
  const about = `${member.description}${words}${member.required ? ' (required)' : ''}`.trim()
  if (member.kind === 'boolean' && !member.list) {
    command
      .addOption(new Option(`--${flag} [true|false]`, about).argParser((text) => readText(member, [text])))
      .addOption(new Option(`--no-${flag}`).hideHelp())
    return
  }
  const note = member.default === undefined ? '' : ` (default: ${String(member.default)})`
  const option = new Option(`--${flag} <${placeholder(member)}>`, `${about}${note}`)
  command.addOption(option.argParser((text: string, before: string[] = []) => [...before, text]))
}

/** So many words that they would push the column of explanations off the terminal. */
function isLong(choices: readonly string[] | undefined): boolean {
  return choices !== undefined && choices.join('|').length > 40
}

function placeholder(member: TextMember): string {
  if (member.secret) return '-'
  if (member.choices !== undefined) return isLong(member.choices) ? 'word' : member.choices.join('|')
  return { string: 'text', integer: 'n', number: 'n', boolean: 'true|false', json: 'json' }[member.kind]
}

async function inputOf(world: World, members: readonly TextMember[], given: Given): Promise<object> {
  const whole = typeof given['jsonInput'] === 'string' ? await jsonInput(world, given['jsonInput']) : {}
  const input: Record<string, unknown> = { ...whole }
  for (const member of members) {
    const value = given[attributeOf(member.name)]
    if (value === undefined) continue
    input[member.name] = typeof value === 'boolean' ? value : await fromFlag(world, member, value as string[])
  }
  const missing = members.filter((member) => member.required && !(member.name in input))
  if (missing.length === 0) return input
  const flags = missing.map((member) => `--${flagOf(member.name)}`).join(', ')
  throw new AppError('invalid_input', `${flags} must be given.`, { field: missing[0]?.name ?? '' })
}

async function fromFlag(world: World, member: TextMember, texts: string[]): Promise<unknown> {
  if (!member.secret) return readText(member, texts)
  const flag = `--${flagOf(member.name)}`
  if (texts.length === 1 && texts[0] === '-') return secretFrom(world.terminal, flag.slice(2))
  throw new AppError(
    'invalid_input',
    `${flag} takes only -, which reads the secret from standard input or asks for it: other users can read command lines.`,
  )
}

async function jsonInput(world: World, file: string): Promise<object> {
  const text = file === '-' ? await wholeOf(world.terminal.stdin, largest) : await fileText(file)
  const fits = scanJson(Buffer.from(text), { depth: 32, members: 1_000 })
  if (fits !== 'ok')
    throw new AppError('too_large', 'The JSON of --json-input is nested too deep or has too many members.')
  const value = parsed(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new AppError('invalid_input', '--json-input must hold one JSON object.')
}

async function fileText(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile())
    throw new AppError('invalid_input', '--json-input must name a file that exists, or be -.')
  if (found.size > largest) throw new AppError('too_large', `--json-input must be at most ${largest} bytes.`)
  return readFile(file, 'utf8').catch(() => {
    throw new AppError('invalid_input', 'The file of --json-input cannot be read.')
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The flag of a member, without its dashes: `token_id` is `token-id`. */
export function flagOf(name: string): string {
  return name.replaceAll('_', '-')
}

function attributeOf(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
