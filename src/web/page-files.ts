import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

interface PageFile {
  /** Where it stands in the package it comes from. */
  from: string
  type: string
}

/** What the pages of the documentation load, by name; the bundle carries copies in `pages/`. */
export const pageFiles: Record<string, PageFile> = {
  'swagger-ui.css': { from: 'swagger-ui-dist/swagger-ui.css', type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': {
    from: 'swagger-ui-dist/swagger-ui-bundle.js',
    type: 'text/javascript; charset=utf-8',
  },
  'redoc.standalone.js': {
    from: 'redoc/bundles/redoc.standalone.js',
    type: 'text/javascript; charset=utf-8',
  },
}

/** The one thing these files would load from elsewhere: a logo. */
const foreign = 'https://cdn.redoc.ly/redoc/logo-mini.svg'

/** The text of a file, without what it would load from another host. */
export async function readPageFile(name: string): Promise<string> {
  const text = await firstOf([
    new URL(`pages/${name}`, import.meta.url),
    new URL(`../pages/${name}`, import.meta.url),
    () => createRequire(import.meta.url).resolve(pageFiles[name]?.from ?? ''),
  ])
  return text.replaceAll(foreign, 'data:,')
}

/** Beside the program or one of its chunks; else, from source, in its package. */
async function firstOf([place, ...others]: (URL | (() => string))[]): Promise<string> {
  if (place === undefined) throw new Error('a file of the documentation pages is missing')
  try {
    return await readFile(typeof place === 'function' ? place() : place, 'utf8')
  } catch (error) {
    if (others.length > 0) return firstOf(others)
    throw error
  }
}
