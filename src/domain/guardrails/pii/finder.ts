import type { Leaf } from '../leaf.ts'
import { placeholder } from '../redactions.ts'

/** A part of a text, as the positions of `slice`. */
export interface Span {
  start: number
  end: number
}

/** Finds one kind of personal data; `text` is the leaf's text with its digits, blanks and hyphens in ASCII. */
export interface PiiFinder {
  readonly name: string
  /** What its placeholders are called. */
  readonly kind: 'EMAIL' | 'PHONE' | 'CARD' | 'IBAN' | 'NATIONAL_ID'
  find(text: string, leaf: Leaf): Span[]
}

const lookBack = 32

/**
 * The matches of a pattern, also those that begin within another. The pattern has the flag `g` and bounded quantifiers,
 * so each place costs a constant.
 */
export function* overlapping(text: string, pattern: RegExp): Generator<RegExpExecArray> {
  const at = new RegExp(pattern)
  for (let match = at.exec(text); match !== null; match = at.exec(text)) {
    yield match
    at.lastIndex = match.index + 1
  }
}

/** A finder for all that matches a pattern and passes a check. */
export function patternFinder(
  name: string,
  kind: PiiFinder['kind'],
  pattern: RegExp,
  check: (match: RegExpExecArray, leaf: Leaf) => boolean,
): PiiFinder {
  const find: PiiFinder['find'] = (text, leaf) =>
    [...overlapping(text, pattern)]
      .filter((match) => check(match, leaf))
      .map(({ 0: { length }, index }) => ({ start: index, end: index + length }))
  return { name, kind, find }
}

/** Whether a word shortly before a place, or the name of the member, says what stands there. */
export function isCalled(words: RegExp, leaf: Leaf, place: number): boolean {
  return words.test(leaf.text.slice(Math.max(0, place - lookBack), place)) || words.test(spaced(leaf.name))
}

/** The words of a member's name: `userPhone_number` as `user Phone number`. A placeholder in it says what was there, not what stands here. */
export function spaced(name: string): string {
  return name
    .slice(0, 200)
    .replace(placeholder, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
}
