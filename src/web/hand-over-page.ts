import type { Waiting } from '../core/hand-over.ts'
import { revealStyle } from './reveal-page.ts'

export const handOverStyle = `${revealStyle}
input {
  display: block; width: 100%; font: inherit; padding: 11px 14px; min-height: 48px; border-radius: 10px;
  border: 1px solid var(--soft); background: var(--well); color: var(--text);
}
input:focus-visible, a:focus-visible { outline: 3px solid var(--deep); outline-offset: 2px }
a { color: var(--deep) }
h2 { margin: 24px 0 0; font-size: 1rem; font-weight: 600 }
form { margin-bottom: 18px }
form button { margin-top: 14px }
dl { margin: 0 0 18px; padding: 14px 16px; border-radius: 10px; background: var(--well); overflow-wrap: anywhere }
dt { font-size: 14px; color: var(--soft) }
dd { margin: 0 0 8px }
dd:last-child { margin-bottom: 0 }
`

/** What the page shows of a secret that was collected. */
export interface Collected {
  name: string | null
  token_id: string
  secret: string
}

/** The forms: says whose secret this is before it asks for anything, so that whoever was lured here can see it. */
export function signInPage(id: string, { name, asked_by, created_at, expires_at }: Waiting): string {
  return page(
    'Sign in to see a secret once',
    `<h1>Sign in to see a secret once</h1>
<dl>
<dt>Secret of the token</dt><dd>${name === null ? 'without a name' : `“${text(name)}”`}</dd>
<dt>Asked for by</dt><dd>${text(askerOf(asked_by))}</dd>
<dt>Made</dt><dd>${time(created_at)}, waits until ${time(expires_at)}</dd>
</dl>
<p class="warn">Did you not ask for it just now? Enter nothing and close the page.</p>
${keyForm(id)}
${asked_by.kind === 'management' ? '' : ownerForm(id)}
<p class="soft">Have the place ready where you will keep it. You are signed in for this one secret and no longer.</p>`,
  )
}

// One form for each way in: what a browser fills into the other by itself is not sent along.
const keyForm = (id: string) => `<form method="post" action="${text(id)}" autocomplete="off">
<h2>With a management key</h2>
<label for="key">Management key</label>
<input id="key" name="key" type="password" required maxlength="512" autocomplete="off" spellcheck="false">
<p><button type="submit">Sign in with the key and reveal the secret once</button></p>
</form>`

const ownerForm = (id: string) => `<form method="post" action="${text(id)}">
<h2>Or as the owner of the token</h2>
<label for="email">E-mail</label>
<input id="email" name="email" type="email" required maxlength="320" autocomplete="username">
<label for="password">Password</label>
<input id="password" name="password" type="password" required maxlength="1024" autocomplete="current-password">
<p><button type="submit">Sign in as the owner and reveal the secret once</button></p>
</form>`

/** Shown once, and to the one who has signed in. */
export function collectedPage({ name, token_id, secret }: Collected): string {
  return page(
    'Secret',
    `<h1>Secret of “${text(name ?? token_id)}”</h1>
<label for="secret">This is shown once. Select it and store it now.</label>
<output id="secret">${text(secret)}</output>
<p class="soft">Token <code>${text(token_id)}</code>. This page has ended. If the secret gets lost, rotate the token to get a new one.</p>`,
  )
}

/** The client opens the page while the call that makes the secret still runs. */
export function notYetPage(id: string, again: number | undefined): string {
  const refresh =
    again === undefined ? '' : `<meta http-equiv="refresh" content="2; url=${text(id)}?try=${again}">`
  return page(
    'Nothing is waiting here yet',
    `<h1>Nothing is waiting here yet</h1>
<p role="status">A secret appears here once the call that makes it has gone through. This page looks again by itself for half a minute.</p>
<p><a href="${text(id)}">Look again</a></p>`,
    refresh,
  )
}

/** Of a secret that was collected or has ended, and of everything that is refused. */
export function sentencePage(title: string, sentence: string): string {
  return page(title, `<h1>${text(title)}</h1>\n<p role="alert">${text(sentence)}</p>`)
}

function askerOf({ kind, id, name }: Waiting['asked_by']): string {
  if (kind === 'local') return `the user “${id}” of the machine Tokenwright runs on`
  const what =
    kind === 'management' ? 'the management key' : kind === 'user_key' ? 'the user key' : 'the token'
  return name === null || name === '' ? `${what} ${id}` : `${what} “${name}” (${id})`
}

/** Complete in itself, and without any script. */
function page(title: string, content: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${text(title)} · Tokenwright</title>
<link rel="icon" href="data:,">${head}
<style>${handOverStyle}</style>
</head>
<body>
<main>
<p class="brand">Tokenwright</p>
<section>
${content}
</section>
</main>
</body>
</html>
`
}

/** To the minute, which is as exact as anybody remembers it. */
function time(iso: string): string {
  return `<time datetime="${text(iso)}">${text(iso.slice(0, 16).replace('T', ' '))} UTC</time>`
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Names are data, whatever is in them. */
function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => escapes[character] ?? '')
}
