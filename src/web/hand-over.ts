import { createHash } from 'node:crypto'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { operations } from '../../tools/index.ts'
import type { Caller } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { waitingOn } from '../core/hand-over.ts'
import { invoke } from '../core/invoke.ts'
import { signIn } from '../core/sign-in.ts'
import { callerWith } from '../http/caller.ts'
import { nativeError } from '../http/errors.ts'
import { readForm } from '../http/form.ts'
import type { HttpEnv, HttpFace } from '../http/types.ts'
import {
  type Collected,
  collectedPage,
  handOverStyle,
  notYetPage,
  sentencePage,
  signInPage,
} from './hand-over-page.ts'

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  // Under no-referrer browsers send a form with "Origin: null", which nobody is let in with.
  'referrer-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(handOverStyle).digest('base64')}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
}

/** How often a page looks again by itself before the secret is there. */
const mostTries = 15

type Face = Pick<HttpFace, 'core' | 'log' | 'failures' | 'requests'>

/**
 * The page of a secret that waits behind a sign-in (security R7). One POST signs in, reveals and burns: no cookie and no
 * session, so nothing another page could use.
 */
export function handOverRoutes(face: Face): Hono<HttpEnv> {
  const { core, log } = face
  const redeem = operations.find(({ name }) => name === 'redeem_link')
  if (redeem === undefined) throw new Error('the operation redeem_link is missing')
  const app = new Hono<HttpEnv>()
  app.get('/hand-over/:id', async (c) => {
    const id = c.req.param('id')
    const waiting = isId(id) ? await waitingOn(core, id) : undefined
    if (waiting === undefined) return c.body(notYetPage(isId(id) ? id : '', nextTry(c)), 404, headers)
    if (waiting.over) return c.body(sentencePage(...over), 410, headers)
    return c.body(signInPage(id, waiting), 200, headers)
  })
  app.post('/hand-over/:id', async (c) => {
    try {
      const id = c.req.param('id')
      const caller = await signedIn(face, c)
      // The code of a one-time link has no place in an address, so none is taken from there.
      if (!isId(id)) throw new AppError('not_found', 'No page has this address.')
      const done = await invoke(core, caller, redeem, { code: id })
      return c.body(collectedPage(done as Collected), 200, headers)
    } catch (error) {
      if (!(error instanceof AppError)) log.error({ error, request_id: c.get('requestId') }, 'request failed')
      return refused(c, error)
    }
  })
  app.all('/hand-over/:id', () => {
    throw new AppError('unsupported', 'The page is opened with GET, and its button sends POST.', {
      reason: 'method',
    })
  })
  return app
}

/** Who signs in for this one request, after what is wrong with the form. */
async function signedIn(face: Face, c: Context<HttpEnv>): Promise<Caller> {
  const [ip, requestId] = [c.get('ip'), c.get('requestId')]
  // Browsers always say from which page a form was sent, and the server has refused all pages but its own.
  if (c.req.header('origin') === undefined) throw new AppError('forbidden', 'The form was sent by no page.')
  const { key = '', email = '', password = '' } = await readForm(c.env.incoming, ['key', 'email', 'password'])
  const isPerson = email !== '' || password !== ''
  if (isPerson === (key !== '') || (isPerson && (email === '' || password === ''))) {
    throw new AppError('invalid_input', 'Enter either a management key, or an e-mail and a password.')
  }
  if (!isPerson) return callerWith(key.trim(), face, 'web', { requestId, ip })
  const actor = await signIn(face.core, { email, password, via: 'web', ip })
  return { actor, via: 'web', ip, client: null, request_id: requestId }
}

/** A wrong credential, one that is not meant, and an address without a secret look the same. */
const alike = ['unauthenticated', 'ip_not_allowed', 'forbidden', 'not_found']

function refused(c: Context<HttpEnv>, error: unknown): Response {
  if (error instanceof AppError && alike.includes(error.code))
    return c.body(sentencePage(...denied), 403, headers)
  const { status, body, headers: more } = nativeError(error, c.get('requestId'))
  const title = status === 410 ? over[0] : 'That did not work'
  return c.body(sentencePage(title, body.detail), status as ContentfulStatusCode, { ...more, ...headers })
}

const denied: [string, string] = [
  'That opens nothing here',
  'The credential is wrong, or it is not the one this secret waits for: sign in with the management key that asked for it, one that may manage the token, or as the owner of the token. Go back to try again.',
]

const over: [string, string] = [
  'There is no secret here any more',
  'It was collected, replaced, or its ten minutes are over. If you did not collect it, rotate the token now; that makes a new one.',
]

function isId(text: string): boolean {
  return /^[\w-]{32}$/.test(text)
}

function nextTry(c: Context<HttpEnv>): number | undefined {
  const tried = Number(c.req.query('try') ?? 0)
  return tried >= 0 && tried < mostTries ? Math.floor(tried) + 1 : undefined
}
