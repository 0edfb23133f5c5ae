import { listen, readJson, sendJson } from '../lib/listen.ts'
import { answer } from '../lib/protocol.ts'

/** The least that answers JSON with JSON: reads and parses the body, answers a constant. */
answer({
  start: () => listen((request, response) => readJson(request, () => sendJson(response, { valid: true }))),
})
