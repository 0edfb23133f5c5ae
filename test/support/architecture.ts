import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { parseSync } from 'oxc-parser'
import { type SyntaxNode, walk } from './syntax.ts'

/** A source file by its path from the root of the repository. */
export interface Source {
  path: string
  text: string
}

interface Import {
  from: string
  /** `import type` only: it leaves nothing at run time. */
  typeOnly: boolean
}

/** Where a file belongs; the first that fits. */
const layers: [name: string, pattern: RegExp][] = [
  ['composition', /^src\/((main|app|serve)\.ts$|start\/)/],
  ['foundation', /^src\/(config|setting-table|log)\.ts$/],
  ['domain', /^src\/domain\//],
  ['core', /^src\/core\//],
  ['http', /^src\/http\//],
  ['mcp', /^src\/mcp\//],
  ['rest', /^src\/rest\//],
  ['cli', /^src\/cli\//],
  ['web', /^src\/web\//],
  ['gateway', /^src\/gateway\//],
  ['guard', /^src\/guard\//],
  ['list', /^tools\/index\.ts$/],
  ['tool', /^tools\/[^/]+\/[^/]+\.ts$/],
  ['db', /^db\//],
]

const httpFaces = ['mcp', 'rest', 'web', 'gateway']
const faces = [...httpFaces, 'cli']

/** Which layers of ours each layer may import, itself included. */
const mayImport: Record<string, string[]> = {
  domain: ['domain'],
  db: ['db', 'domain'],
  core: ['core', 'db', 'domain'],
  tool: ['db', 'domain', 'core'],
  list: ['tool', 'core'],
  foundation: ['foundation', 'core', 'domain'],
  http: ['http', 'core', 'domain', 'foundation'],
}
// It runs in the processes of others, and brings nothing of ours along.
mayImport['guard'] = ['guard']
for (const face of faces) mayImport[face] = [face, 'core', 'http', 'domain', 'foundation', 'list']

/** Which packages are for certain layers only; the composition may import anything. */
const packages: [pattern: RegExp, layers: string[]][] = [
  [/^(kysely|better-sqlite3|pg)(\/|$)/, ['db']],
  [/^@modelcontextprotocol\//, ['mcp', 'gateway']],
  [/^(hono|@hono\/.*)(\/|$)/, ['http', ...httpFaces]],
  [/^commander(\/|$)/, ['cli']],
  [/^pino(\/|$)/, ['foundation']],
]

const builtins = new Set(builtinModules)
/** What reaches outside the process or tells the time. */
const io =
  /^(node:)?(fs|http|https|http2|dgram|dns|child_process|worker_threads|cluster|timers|process|os|tls|readline)(\/|$)/
const forbiddenName = /(Manager|Service|Helper|Util|Utils|Dto)$/i

/** Every breach of DESIGN §2 in these files, as `path: sentence`. */
export function breaches(sources: readonly Source[]): string[] {
  const found = sources.flatMap((source) => ofFile(source).map((problem) => `${source.path}: ${problem}`))
  return [...found, ...cycles(sources)]
}

function layerOf(path: string): string | undefined {
  return layers.find(([, pattern]) => pattern.test(path))?.[0]
}

function ofFile({ path, text }: Source): string[] {
  const parsed = parseSync(path, text)
  if (parsed.errors.length > 0) return ['does not parse']
  const lines = text.split('\n').length - 1
  return [
    ...(lines > 400 ? [`has ${lines} lines, 400 are the most`] : []),
    ...importsOf(path, text).flatMap(({ from }) => importProblems(path, from)),
    ...syntaxProblems(path, parsed.program),
  ]
}

function importsOf(path: string, text: string): Import[] {
  const { module, program } = parseSync(path, text)
  const found: Import[] = module.staticImports.map((one) => ({
    from: one.moduleRequest.value,
    typeOnly: one.entries.length > 0 && one.entries.every((entry) => entry.isType),
  }))
  for (const statement of module.staticExports) {
    for (const { moduleRequest, isType } of statement.entries) {
      if (moduleRequest) found.push({ from: moduleRequest.value, typeOnly: isType })
    }
  }
  walk(program, (node) => {
    if (node.type === 'ImportExpression') found.push({ from: literal(node, 'source'), typeOnly: false })
    if (node.type === 'TSImportType') found.push({ from: literal(node, 'source'), typeOnly: true })
  })
  return found
}

function literal(node: SyntaxNode, member: string): string {
  const value = (node as unknown as Record<string, { value?: unknown } | undefined>)[member]?.value
  return typeof value === 'string' ? value : '(computed)'
}

function importProblems(path: string, from: string): string[] {
  const layer = layerOf(path)
  if (layer === undefined) return [`belongs to no layer of DESIGN §2`]
  if (layer === 'composition') return []
  if (from === '(computed)') return ['imports a computed name']
  if (from.startsWith('.')) return oursProblems(layer, normalize(join(dirname(path), from)))
  const builtin = from.startsWith('node:') || builtins.has(from)
  if (builtin && !from.startsWith('node:')) return [`imports ${from} without node:`]
  if (layer === 'domain') {
    if (builtin ? io.test(from) : from !== 'zod' && from !== 're2js')
      return [`imports ${from}; src/domain is pure`]
  }
  if (builtin) return []
  if (layer === 'guard') return [`imports ${from}; src/guard needs no package, nor its types`]
  const fence = packages.find(([pattern]) => pattern.test(from))
  if (fence !== undefined)
    return fence[1].includes(layer) ? [] : [`imports ${from}, which is for ${fence[1].join(', ')} only`]
  if (layer === 'db') return [`imports ${from}; db knows Kysely, its drivers and src/domain`]
  return []
}

function oursProblems(layer: string, target: string): string[] {
  if (target === 'package.json') return []
  if (!target.endsWith('.ts')) return [`imports ${target} without its extension`]
  const to = layerOf(target)
  if (to === undefined) return [`imports ${target}, which belongs to no layer`]
  if (layer === 'tool' && to === 'tool') return [`imports ${target}; a tool cannot call a tool`]
  if (layer === 'tool' && target === 'src/core/invoke.ts')
    return ['imports invoke; a tool cannot call a tool']
  return mayImport[layer]?.includes(to) === true ? [] : [`imports ${target}; ${layer} may not import ${to}`]
}

function syntaxProblems(path: string, program: unknown): string[] {
  const found = new Set<string>()
  let own = 0
  let passedOn = 0
  for (const statement of (program as { body: (SyntaxNode & { source?: unknown })[] }).body) {
    if (statement.type === 'ImportDeclaration') continue
    const passes = /^Export(All|Named)Declaration$/.test(statement.type) && statement.source != null
    passes ? passedOn++ : own++
  }
  if (passedOn > 0 && own === 0) found.add('is a barrel')
  walk(program, (node) => {
    const any = node as unknown as Record<string, unknown> & {
      id?: { name?: string }
      superClass?: { name?: string }
    }
    if (node.type === 'ExportAllDeclaration') found.add('passes on a whole module')
    if (node.type === 'ExportDefaultDeclaration') found.add('has a default export')
    if (node.type === 'TSEnumDeclaration') found.add('has an enum')
    if (node.type === 'TSAnyKeyword' && !allowedAny(path)) found.add('says any')
    if (node.type === 'TSNonNullExpression') found.add('asserts with !')
    if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') {
      if (!/Error$/.test(any.superClass?.name ?? '')) found.add('has a class that is no error type')
    }
    if (typeof any.id === 'object' && forbiddenName.test(any.id?.name ?? ''))
      found.add(`names something ${any.id?.name}`)
    if (path !== 'src/config.ts' && readsEnvironment(node)) found.add('reads process.env')
    if (path.startsWith('src/domain/') && readsClock(node)) found.add('reads the clock')
  })
  const file = path.split('/').at(-1)?.replace(/\.ts$/, '') ?? ''
  if (forbiddenName.test(file)) found.add(`is called ${file}`)
  return [...found]
}

/** The one type of operations whatever their shapes cannot be said without it. */
function allowedAny(path: string): boolean {
  return path === 'src/core/operation.ts'
}

function memberOf(node: SyntaxNode): string {
  if (node.type !== 'MemberExpression') return ''
  const { object, property } = node as unknown as {
    object: { name?: string }
    property: { name?: string; value?: unknown }
  }
  return `${object.name ?? ''}.${property.name ?? String(property.value ?? '')}`
}

function readsEnvironment(node: SyntaxNode): boolean {
  if (memberOf(node) === 'process.env') return true
  if (node.type === 'VariableDeclarator') {
    const { id, init } = node as unknown as {
      id: { type: string; properties?: { key?: { name?: string } }[] }
      init?: { name?: string }
    }
    return init?.name === 'process' && id.properties?.some((one) => one.key?.name === 'env') === true
  }
  if (node.type !== 'ImportDeclaration') return false
  const { source, specifiers } = node as unknown as {
    source: { value: string }
    specifiers: { imported?: { name?: string } }[]
  }
  return /^(node:)?process$/.test(source.value) && specifiers.some((one) => one.imported?.name === 'env')
}

function readsClock(node: SyntaxNode): boolean {
  if (memberOf(node) === 'Date.now' || memberOf(node) === 'performance.now') return true
  const { callee, arguments: args } = node as unknown as { callee?: { name?: string }; arguments?: unknown[] }
  return node.type === 'NewExpression' && callee?.name === 'Date' && args?.length === 0
}

/** Circles of imports that exist at run time, each told once. */
function cycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map(({ path, text }) => [
      path,
      importsOf(path, text)
        .filter((one) => !one.typeOnly && one.from.startsWith('.'))
        .map((one) => normalize(join(dirname(path), one.from))),
    ]),
  )
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: string[]) => {
    const at = trail.indexOf(path)
    if (at !== -1)
      return void found.push(
        `${path}: imports itself through ${trail.slice(at + 1).join(', ') || 'nothing else'}`,
      )
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}
