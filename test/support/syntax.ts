export interface SyntaxNode {
  type: string
  start: number
}

/** Visits every node of a syntax tree. */
export function walk(node: unknown, visit: (node: SyntaxNode) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit)
    return
  }
  if (typeof node !== 'object' || node === null) return
  if ('type' in node && typeof node.type === 'string') visit(node as SyntaxNode)
  for (const value of Object.values(node)) walk(value, visit)
}
