import type { Answer, Running } from '../http/serving.ts'
import { type Speaker, speakOne, speakTwo, type Visitor } from '../mcp/speakers.ts'

/** A secret that waits on a page, and how it came there. */
export interface Handed {
  url: string
  id: string
  token_id: string
  message: string
  /** The page as the person found it who was sent there before the secret was made. */
  before: Answer
}

/** Official clients of a server, whose people go wherever they are sent. */
export function makeHanding(running: Running) {
  const speakers: Speaker[] = []

  async function speaker(secret: string, visitor: Visitor, era: 'first' | 'second' = 'second') {
    const place = { url: `${running.url}/mcp`, secret }
    const made = await (era === 'first' ? speakOne(place, visitor) : speakTwo(place, 'auto', visitor))
    speakers.push(made)
    return made
  }

  return {
    speaker,
    /** Calls a tool that makes a secret, as a client whose person agrees to open the page. */
    async handed(
      secret: string,
      args: object = {},
      tool = 'create_token',
      era: 'first' | 'second' = 'second',
    ): Promise<Handed> {
      const asked: { url: string; message: string; before: Answer }[] = []
      const client = await speaker(
        secret,
        async ({ url, message }) => {
          asked.push({ url, message, before: await running.send(new URL(url).pathname) })
          return 'accept'
        },
        era,
      )
      const { structuredContent, content } = await client.call(tool, {
        ...(tool === 'create_token' && { name: 'CI nightly' }),
        ...args,
      })
      const [first, second] = asked
      if (first === undefined || second !== undefined) throw new Error(`asked ${asked.length} times`)
      const { token, delivery } = structuredContent as { token: { id: string }; delivery: { url: string } }
      if (token === undefined) throw new Error(content[0]?.text)
      if (delivery.url !== first.url) throw new Error('it waits elsewhere')
      return { ...first, id: first.url.split('/').at(-1) ?? '', token_id: token.id }
    },
    /** Sends the form of a page. */
    post(
      id: string,
      fields: Record<string, string>,
      headers: Record<string, string> = { origin: running.url },
    ) {
      return running.send(`/hand-over/${id}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      })
    },
    close: () => Promise.all(speakers.map((one) => one.close())),
  }
}

/** The secret a page shows; undefined if it shows none. */
export function secretOn({ text }: Pick<Answer, 'text'>): string | undefined {
  return /<output id="secret">([^<]+)</.exec(text)?.[1]
}
