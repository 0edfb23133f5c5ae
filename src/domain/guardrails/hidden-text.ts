const tags = /[\u{e0000}-\u{e007f}]/u
/** The flags of England, Scotland, Wales and the like: a black flag, up to six tags and an end (UTS #51, ED-14a). */
const flags = /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{1,6}\u{e007f}/gu
const longInvisibleRun =
  /[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]{16}|[\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]{8}/u
/** A run that may be a sentence in base64. */
export const encoded = /[0-9A-Za-z+/_-]{32}/
const wholeRun = /[0-9A-Za-z+/_-]{32,}/g

/** Whether a text holds letters that only programs see: tags, or runs of invisible characters that nothing needs. */
export function hidesText(text: string): boolean {
  return (tags.test(text) && tags.test(text.replace(flags, ''))) || longInvisibleRun.test(text)
}

/** What stands in the comments of HTML. */
export function* commentsOf(text: string): Generator<string> {
  for (let start = text.indexOf('<!--'); start !== -1; ) {
    const end = text.indexOf('-->', start + 4)
    if (end === -1) return
    yield text.slice(start + 4, end)
    start = text.indexOf('<!--', end)
  }
}

/** Long runs of base64 that decode to text. */
export function* decodedOf(text: string): Generator<string> {
  for (const [run] of text.matchAll(wholeRun)) {
    const decoded = Buffer.from(run, 'base64').toString('utf8')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is no text is what it looks for.
    if (!/[\0-\x08\x0e-\x1f\ufffd]/.test(decoded)) yield decoded
  }
}
