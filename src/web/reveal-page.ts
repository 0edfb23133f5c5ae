/** Reads the code from the fragment, takes it out of the address bar, and sends it only when the button is pressed. */
export const revealScript = `
'use strict'
const code = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
const $ = (id) => document.getElementById(id)
const show = (id) => {
  for (const part of document.querySelectorAll('main > section')) part.hidden = part.id !== id
  $(id).querySelector('h1').focus()
}
const fail = (sentence) => {
  $('why').textContent = sentence
  show('refused')
}
async function reveal() {
  $('open').disabled = true
  $('open').textContent = 'Opening…'
  try {
    const answer = await fetch(location.pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
      credentials: 'omit',
      cache: 'no-store',
    })
    const body = await answer.json()
    if (!answer.ok) return fail(body.detail || 'The link could not be opened.')
    $('name').textContent = body.name || body.token_id
    $('id').textContent = body.token_id
    $('secret').textContent = body.secret
    show('opened')
  } catch {
    $('open').disabled = false
    $('open').textContent = 'Reveal the secret once'
    $('offline').hidden = false
  }
}
async function copy() {
  try {
    await navigator.clipboard.writeText($('secret').textContent)
    $('copied').textContent = 'Copied to the clipboard.'
  } catch {
    getSelection().selectAllChildren($('secret'))
    $('copied').textContent = 'Selected. Copy it with the keyboard.'
  }
}
$('open').addEventListener('click', reveal)
$('copy').addEventListener('click', copy)
if (code === '') fail('This page needs the whole link, with the part after the # sign. Open the link you were given once more.')
`

export const revealStyle = `
:root {
  color-scheme: light dark;
  --page: #f4f5f3; --card: #fff; --text: #1d2421; --soft: #59645f; --line: #dde2df;
  --deep: #14614b; --on-deep: #fff; --well: #eef3f0; --warn: #8a4b08;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131816; --card: #1b2220; --text: #e7edea; --soft: #9fada7; --line: #2d3834;
    --deep: #6fcfae; --on-deep: #0c1f18; --well: #111614; --warn: #e8b16a;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; min-height: 100vh; padding: 24px 16px; display: grid; place-items: center;
  background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
}
main { width: 100%; max-width: 34rem }
.brand { margin: 0 0 12px 4px; color: var(--soft); font-size: 14px; letter-spacing: .02em }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 28px }
h1 { margin: 0 0 10px; font-size: 1.4rem; line-height: 1.25; font-weight: 650; outline: none; overflow-wrap: anywhere }
p { margin: 0 0 14px }
.soft { color: var(--soft); font-size: 14px }
.warn { color: var(--warn) }
p:last-child { margin-bottom: 0 }
button {
  font: inherit; font-weight: 600; padding: 12px 20px; border-radius: 10px; cursor: pointer;
  border: 1px solid var(--deep); background: var(--deep); color: var(--on-deep); min-height: 48px;
}
button:disabled { opacity: .6; cursor: default }
button:focus-visible { outline: 3px solid var(--deep); outline-offset: 3px }
label { display: block; margin: 18px 0 6px; font-size: 14px; color: var(--soft) }
output {
  display: block; padding: 14px 16px; margin-bottom: 16px; border-radius: 10px; border: 1px solid var(--line);
  background: var(--well); font: 15px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; user-select: all;
}
.row { display: flex; gap: 14px; align-items: center; flex-wrap: wrap; margin-bottom: 18px }
.row p { margin: 0 }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere }
@media (max-width: 480px) { section { padding: 22px 18px } button { width: 100% } }
`

/** The page people open from a one-time link: complete in itself, nothing is loaded from anywhere. */
export const revealPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>One-time secret · Tokenwright</title>
<link rel="icon" href="data:,">
<style>${revealStyle}</style>
</head>
<body>
<main>
<p class="brand">Tokenwright</p>
<section id="waiting">
<h1 tabindex="-1">A secret is waiting for you</h1>
<p>It can be revealed once, within 10 minutes of its making. Have the place ready where you will keep it, then press the button.</p>
<p><button id="open" type="button">Reveal the secret once</button></p>
<p id="offline" class="warn" role="alert" hidden>The server could not be reached. Nothing was revealed yet as far as this page knows; try again.</p>
<p class="soft">Opening this page changed nothing. Was the link not meant for you? Close the page.</p>
</section>
<section id="opened" hidden>
<h1 tabindex="-1">Secret of “<span id="name"></span>”</h1>
<label for="secret">This is shown once. Store it now.</label>
<output id="secret"></output>
<div class="row"><button id="copy" type="button">Copy</button><p id="copied" class="soft" role="status"></p></div>
<p class="soft">Token <code id="id"></code>. The link has ended. If the secret gets lost, rotate the token to get a new one.</p>
</section>
<section id="refused" hidden>
<h1 tabindex="-1">There is no secret here</h1>
<p id="why" role="alert"></p>
</section>
<noscript><section><h1>This page needs JavaScript</h1><p>Or enter the code in a terminal: <code>tokenwright claim</code></p></section></noscript>
</main>
<script>${revealScript}</script>
</body>
</html>
`
