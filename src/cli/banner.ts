import { styleText } from 'node:util'
import { httpSnippet, stdioSnippet } from './clients.ts'
import type { Launch } from './world.ts'

interface Started {
  /** The server's own address, without a path. */
  url: string
  /** The file of the admin key, if there is one; the key itself is never printed (security R14). */
  adminKeyFile: string | undefined
  launch: Launch
}

/** What `serve` prints once it listens, as text: addresses, where the key is, and what to paste into clients. */
export function banner({ url, adminKeyFile, launch }: Started, styled: boolean): string {
  const heading = (text: string) => (styled ? styleText('bold', text) : text)
  const mcp = `${url}/mcp`
  return [
    heading('Tokenwright is running.'),
    '',
    `  MCP          ${mcp}`,
    `  Gateway      ${url}/gateway/mcp`,
    `  REST         ${url}/v1/<operation>`,
    `  Admin key    ${adminKeyFile ?? 'the one in TOKENWRIGHT_ADMIN_KEY, or one made earlier'}`,
    '',
    heading('Claude, Cursor: start it on this machine, no key needed'),
    stdioSnippet('cursor', launch).text.trimEnd(),
    '',
    heading('Or call this server; the key comes from the environment variable TOKENWRIGHT_KEY'),
    httpSnippet('cursor', mcp).text.trimEnd(),
    '',
    'Other clients: tokenwright client-config <client> [--http]. All commands: tokenwright --help.',
    'Ctrl-C stops it.',
    '',
  ].join('\n')
}
