import { isObject } from '../http/messages.ts'
import type { Subject } from './subjects.ts'

/** A slug has no `_`, so the first two of them end it. */
const between = '__'
const uriPattern = /^mcp\+([a-z0-9-]+)\+(.+)$/s

/** The name of a server's tool, prompt or resource where all servers are one. */
export function outerName(slug: string, kind: Subject['kind'], name: string): string {
  return kind === 'resource' ? `mcp+${slug}+${name}` : `${slug}${between}${name}`
}

/** The server a name belongs to, and what it is called there. */
export function innerName(kind: Subject['kind'], name: string): { slug: string; name: string } | undefined {
  if (kind === 'resource') {
    const [, slug, uri] = uriPattern.exec(name) ?? []
    return slug === undefined || uri === undefined ? undefined : { slug, name: uri }
  }
  const at = name.indexOf(between)
  return at < 1 ? undefined : { slug: name.slice(0, at), name: name.slice(at + between.length) }
}

const kinds: Record<string, Subject['kind']> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'resource',
}

/** The items of a list under the names they have where all servers are one. */
export function outerItems(slug: string, list: string, member: string, items: unknown): unknown[] {
  const kind = kinds[list] ?? 'tool'
  return (Array.isArray(items) ? items : []).filter(isObject).map((item) => ({
    ...item,
    [member]: outerName(slug, kind, String(item[member])),
  }))
}

/** A result whose links to resources lead back through the gateway. */
export function outerResult(slug: string, result: Record<string, unknown>): Record<string, unknown> {
  const { content, contents } = result
  return {
    ...result,
    ...(Array.isArray(content) ? { content: content.map((block) => outerBlock(slug, block)) } : {}),
    ...(Array.isArray(contents) ? { contents: contents.map((part) => outerUri(slug, part)) } : {}),
    ...(Array.isArray(result['messages'])
      ? { messages: result['messages'].map((message) => outerMessage(slug, message)) }
      : {}),
  }
}

function outerMessage(slug: string, message: unknown): unknown {
  return isObject(message) ? { ...message, content: outerBlock(slug, message['content']) } : message
}

function outerBlock(slug: string, block: unknown): unknown {
  if (!isObject(block)) return block
  if (block['type'] === 'resource_link') return outerUri(slug, block)
  return block['type'] === 'resource' ? { ...block, resource: outerUri(slug, block['resource']) } : block
}

function outerUri(slug: string, thing: unknown): unknown {
  return isObject(thing) && typeof thing['uri'] === 'string'
    ? { ...thing, uri: outerName(slug, 'resource', thing['uri']) }
    : thing
}
