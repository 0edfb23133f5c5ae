import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.ts'
import { bundleGuard } from './bundle-guard.ts'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
await bundle(dist)
await bundleGuard(`${dist}/guard`)
