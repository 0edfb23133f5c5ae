import { readdirSync, rmSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const here = dirname(dirname(fileURLToPath(import.meta.url)))

/** Where the compiled children are: inside bench, so that they find bench's own packages. */
export const buildDir = join(here, '.build')

/** Compiles every child, because tsx in a measured process adds a loader thread and wraps each closure. */
export async function compile(): Promise<void> {
  rmSync(buildDir, { recursive: true, force: true })
  const folders = ['servers', 'workers'].map((folder) => join(here, folder))
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  await build({
    entryPoints: [...files.filter((file) => file.endsWith('.ts')), join(here, 'lib/loader.ts')],
    outdir: buildDir,
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    plugins: [packagesStayOutside],
  })
}

/** Packages are not bundled; one that the product imports is taken from the product's folder, not from bench's. */
const packagesStayOutside: Plugin = {
  name: 'packages-stay-outside',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === 'asked' || isBuiltin(path))
        return isBuiltin(path) ? { path, external: true } : undefined
      if (kind === 'entry-point') return undefined
      if (importer.startsWith(here)) return { path, external: true }
      const found = await resolve(path, { importer, resolveDir, kind, pluginData: 'asked' })
      return { path: found.path, external: true }
    })
  },
}
