import { type Command, Option } from 'commander'
import type { Given, World } from './world.ts'

/** Adds the flags of the process in that mode; a flag the command already has keeps its own meaning. */
export function addProcessFlags(command: Command, world: World, mode: string): void {
  for (const { flag, kind, modes, description, default: fallback, name } of world.processFlags) {
    if (flag === null || !modes.includes(mode)) continue
    const option = new Option(flag, `${description} (default: ${fallback})`)
    const taken = command.options.some(
      (one) => one.long === option.long || one.attributeName() === attribute(name),
    )
    if (taken) continue
    if (kind === 'list') option.argParser((text: string, before: string[] = []) => [...before, text])
    // A name of its own keeps it apart from a member of an input that happens to be called alike.
    option.attributeName = () => attribute(name)
    command.addOption(option)
  }
}

/** The values of the process's flags among those of a command, by setting name. */
export function processFlagsOf(world: World, given: Given): Given {
  const values = world.processFlags.map(({ name }) => [name, given[attribute(name)]] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

function attribute(name: string): string {
  return `process:${name}`
}
