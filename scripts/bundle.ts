import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { listing } from '../src/mcp/listing.ts'
import { pageFiles } from '../src/web/page-files.ts'

/** Bundles the program into a folder, with lazy chunks: a start is dominated by the number of files it reads. */
export async function bundle(outdir: string): Promise<void> {
  rmSync(outdir, { recursive: true, force: true })
  await build({
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
    entryPoints: ['src/main.ts'],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    chunkNames: 'chunks/[name]-[hash]',
    // Native code finds its binary beside its own files.
    external: ['better-sqlite3', 'argon2', 'pg-native'],
    // CommonJS packages in the bundle ask for node's own modules through require.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [withoutBallast, engineApart, listingMade],
    legalComments: 'none',
    logLevel: 'warning',
  })
  chmodSync(join(outdir, 'main.js'), 0o755)
  copyFileSync(createRequire(import.meta.url).resolve('re2js'), join(outdir, 'chunks', engineFile))
  copyPages(join(outdir, 'pages'))
}

/** What the documentation pages load, and the licences it comes under. */
function copyPages(folder: string): void {
  const { resolve } = createRequire(import.meta.url)
  mkdirSync(folder)
  const copy = (from: string, name: string) => copyFileSync(resolve(from), join(folder, name))
  for (const [name, { from }] of Object.entries(pageFiles)) copy(from, name)
  copy('swagger-ui-dist/LICENSE', 'swagger-ui.LICENSE.txt')
  copy('swagger-ui-dist/NOTICE', 'swagger-ui.NOTICE.txt')
  copy('swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt', 'swagger-ui-bundle.js.LICENSE.txt')
  copy('redoc/LICENSE', 'redoc.LICENSE.txt')
  copy('redoc/bundles/redoc.standalone.js.LICENSE.txt', 'redoc.standalone.js.LICENSE.txt')
}

const engineFile = 're2js.cjs'

/** Keeps the engine of patterns in a file of its own, which is read when the first pattern comes. */
const engineApart: Plugin = {
  name: 'engine-apart',
  setup(building) {
    building.onLoad({ filter: /domain[\\/]guardrails[\\/]engine\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace("'re2js')", `'./${engineFile}')`),
      loader: 'ts',
    }))
  },
}

/** Puts the list of tools in the place of what it is made from: a client that starts waits for it. */
const listingMade: Plugin = {
  name: 'listing-made',
  setup(building) {
    building.onLoad({ filter: /src[\\/]mcp[\\/]listing\.ts$/ }, () => ({
      // Parsing a text is quicker than reading an object as code.
      contents: `export const listing = JSON.parse(${JSON.stringify(JSON.stringify(listing))})`,
      loader: 'js',
    }))
  },
}

/** Leaves out what the program never reaches but a start would have to read: half of the text, else. */
const withoutBallast: Plugin = {
  name: 'without-ballast',
  setup(building) {
    // zod's error texts in 50 languages; English is the one in use.
    building.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'",
    }))
    // The SDKs would check answers to elicitations with it; who asks checks them.
    const none = "class AjvJsonSchemaValidator { getValidator() { throw new Error('no elicitation') } }"
    building.onLoad({ filter: /sdk[\\/]dist[\\/]esm[\\/]validation[\\/]ajv-provider\.js$/ }, () => ({
      contents: `export ${none}`,
    }))
    building.onLoad({ filter: /server[\\/]dist[\\/]ajvProvider-[^\\/]*\.mjs$/ }, () => ({
      contents: `${none}\nexport { AjvJsonSchemaValidator as n }`,
    }))
  },
}
