import { patternEngine } from './engine.ts'
import { folded, plain } from './folding.ts'
import type { Detector, Family } from './leaf.ts'

export const mostKeywords = 100
const longestKeyword = 200
export const mostPatterns = 50
const longestPattern = 500
/** Steps of a compiled pattern: counted repetition makes a short one large. */
const largestPattern = 1_000

/** The same policy may come with each of many servers. */
const judged = new Map<string, string | undefined>()

/** Why a keyword would find everything, as the end of a sentence. */
export function keywordProblem(keyword: string): string | undefined {
  if (keyword.length > longestKeyword) return `must have at most ${longestKeyword} characters`
  return spelled(keyword).trim() === '' ? 'must hold a character that can be seen' : undefined
}

/** Why a pattern is refused, as the end of a sentence. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === '') return 'must not be empty'
  if (pattern.length > longestPattern) return `must have at most ${longestPattern} characters`
  if (judged.has(pattern)) return judged.get(pattern)
  const problem = compileProblem(pattern)
  if (judged.size >= 1_000) judged.clear()
  judged.set(pattern, problem)
  return problem
}

function compileProblem(pattern: string): string | undefined {
  const { RE2JS, RE2JSException } = patternEngine()
  try {
    const compiled = RE2JS.compile(pattern)
    return compiled.programSize() > largestPattern ? 'repeats too much' : undefined
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    return 'is no regular expression in the syntax of RE2'
  }
}

/** Finds any of the keywords, whatever its letter case, spelling in Unicode and blanks. */
export function keywordFamily(keywords: readonly string[]): Family {
  const sought = keywords.map(spelled)
  const found: Detector['found'] = ({ folded: text }) => sought.some((keyword) => text.includes(keyword))
  return { maybe: () => sought.length > 0, detectors: [{ name: 'keyword', found }] }
}

/** Finds any of the patterns in a text as it was sent or without its disguise. */
export function patternFamily(patterns: readonly string[]): Family {
  const matches = patterns.length === 0 ? () => false : matcherOf(patterns)
  const found: Detector['found'] = ({ text, plain: undisguised }) =>
    matches(text) || (undisguised !== text && matches(undisguised))
  return { maybe: () => patterns.length > 0, detectors: [{ name: 'regex', found }] }
}

/** One automaton for all patterns takes one pass; groups of the same name in two of them keep them apart. */
function matcherOf(patterns: readonly string[]): (text: string) => boolean {
  const { RE2JS, RE2JSException } = patternEngine()
  try {
    const whole = RE2JS.compile(patterns.map((pattern) => `(?:${pattern})`).join('|'))
    return (text) => whole.test(text)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const each = patterns.map((pattern) => RE2JS.compile(pattern))
    return (text) => each.some((pattern) => pattern.test(text))
  }
}

function spelled(keyword: string): string {
  return folded(plain(keyword))
}
