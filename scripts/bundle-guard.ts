import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Bundles what is published as `tokenwright/guard` into a folder, with its types beside it. */
export async function bundleGuard(outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/guard/index.ts'],
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
  })
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.guard.json', '--outDir', outdir], {
    cwd: root,
    stdio: 'inherit',
  })
}
