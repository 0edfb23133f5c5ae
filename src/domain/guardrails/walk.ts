/** Where a value is: the last step and what it is a step from. */
export interface Place {
  readonly up: Place | undefined
  readonly step: string | number
  /** The step is a name that must not be told. */
  hidden: boolean
}

export type Text = string | number

/** Names that hold nothing to find; a path tells no other. */
const plainName = /^[A-Za-z_][A-Za-z_-]{0,31}$/
const longestPath = 64

/**
 * Calls `hear` with every name, text and whole number of a JSON value, whatever its depth; the names of an object come
 * first, and `name` is the member that holds a text. When `hear` answers true for a name, no path tells it.
 */
export function eachText(
  root: unknown,
  hear: (text: Text, name: string | undefined, place: Place | undefined) => boolean,
): void {
  const tasks: [value: unknown, name: string, place: Place | undefined][] = [[root, '', undefined]]
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
    const [value, name, place] = task
    if (isText(value)) hear(value, name, place)
    if (typeof value !== 'object' || value === null) continue
    const children: typeof tasks = []
    if (Array.isArray(value)) {
      for (let at = 0; at < value.length; at++)
        if (mayHold(value[at])) children.push([value[at], name, { up: place, step: at, hidden: false }])
    } else {
      for (const [key, item] of Object.entries(value)) {
        const here = { up: place, step: key, hidden: true }
        here.hidden = hear(key, undefined, here)
        if (mayHold(item)) children.push([item, key, here])
      }
    }
    for (let at = children.length - 1; at >= 0; at--) tasks.push(children[at] as (typeof tasks)[number])
  }
}

/** The JSON value with every name and text changed; it is the same object where nothing changes. */
export function mapTexts(root: unknown, change: (text: Text, name: string | undefined) => Text): unknown {
  const top: Frame = { keys: undefined, items: [root], done: [], name: '' }
  const frames = [top]
  let changed = false
  const changeOne = (text: Text, name: string | undefined): Text => {
    const next = change(text, name)
    changed ||= next !== text
    return next
  }
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const at = frame.done.length
    if (at === frame.items.length) {
      frames.pop()
      frames.at(-1)?.done.push(builtOf(frame, changeOne))
      continue
    }
    const item = frame.items[at]
    const name = frame.keys?.[at] ?? frame.name
    if (Array.isArray(item)) frames.push({ keys: undefined, items: item, done: [], name })
    else if (typeof item === 'object' && item !== null)
      frames.push({ keys: Object.keys(item), items: Object.values(item), done: [], name })
    else frame.done.push(isText(item) ? changeOne(item, name) : item)
  }
  return changed ? top.done[0] : root
}

interface Frame {
  keys: string[] | undefined
  items: unknown[]
  done: unknown[]
  name: string
}

function builtOf({ keys, done }: Frame, change: (text: Text, name: string | undefined) => Text): unknown {
  return keys === undefined
    ? done
    : Object.fromEntries(keys.map((key, at) => [String(change(key, undefined)), done[at]]))
}

/** The way to a place, such as `/arguments/to/0`; a name that could tell what was found is `*`. */
export function pathOf(place: Place | undefined): string {
  const steps: string[] = []
  for (let at = place; at !== undefined; at = at.up) steps.push(shownStep(at))
  const shown = steps.reverse().slice(0, longestPath)
  return shown.map((step) => `/${step}`).join('') + (steps.length > longestPath ? '/…' : '')
}

function shownStep({ step, hidden }: Place): string {
  if (typeof step === 'number') return String(step)
  return hidden || !plainName.test(step) ? '*' : step
}

function isText(value: unknown): value is Text {
  return typeof value === 'string' || Number.isInteger(value)
}

function mayHold(value: unknown): boolean {
  return isText(value) || (typeof value === 'object' && value !== null)
}
