import { folded, plain } from './folding.ts'

/** One text of a JSON value as the detectors see it; other spellings of it are made once, when first asked for. */
export interface Leaf {
  /** As it was sent. */
  readonly text: string
  /** Name of the member that holds it, or that holds the list it is in; empty for a name itself. */
  readonly name: string
  /** It was sent as a number. */
  readonly number: boolean
  /** NFKC without invisible characters. */
  readonly plain: string
  /** `plain` in lower case with single blanks. */
  readonly folded: string
}

/** Looks for one kind of thing, in time linear in the text. */
export interface Detector {
  /** What a finding calls it. */
  readonly name: string
  found(leaf: Leaf): boolean
}

/** A longer text is read faster by each detector alone than by all at once. */
export const shortText = 1_024

/** Detectors that a text can be spared together; most texts hold nothing, and there may be 100,000 of them in one value. */
export interface Family {
  /** Whether any of them could find something. */
  maybe(leaf: Leaf): boolean
  readonly detectors: readonly Detector[]
}

export function leafOf(text: string, name = '', number = false): Leaf {
  let spelled: string | undefined
  let loose: string | undefined
  return {
    text,
    name,
    number,
    get plain() {
      spelled ??= plain(text)
      return spelled
    },
    get folded() {
      loose ??= folded(this.plain)
      return loose
    },
  }
}
