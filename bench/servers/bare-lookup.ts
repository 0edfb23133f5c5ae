import { bareVerifier, openBare } from '../lib/bare.ts'
import { listen, readJson, sendJson } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

/** A validator with nothing around it: parse, HMAC, one prepared select, answer. Nobody is authenticated. */
answer({
  start({ dir }: { dir: string }) {
    const verify = bareVerifier(openBare(dir, true))
    return listen((request, response) =>
      readJson(request, ({ token }) => sendJson(response, { valid: verify(String(token)) })),
    )
  },
})
