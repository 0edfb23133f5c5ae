import type { Icon } from './surface.ts'

/** What is drawn for a toolset, on a field of 24 × 24. */
const drawings: Record<string, string> = {
  tokens: '<circle cx="8" cy="15" r="4.5"/><path d="m11.5 11.5 8-8M16 7l3 3M13 10l2 2"/>',
  access: '<path d="M12 3l8 3v5c0 5-3.5 8.5-8 10-4.5-1.5-8-5-8-10V6zM8.5 12l2.5 2.5 4.5-5"/>',
  leaks: '<path d="M12 3c4 5 6 7.5 6 11a6 6 0 01-12 0c0-3.5 2-6 6-11zM12 11v3M12 17h.01"/>',
  bulk: '<path d="M3 6l2 2 3-4M3 13l2 2 3-4M3 20l2 2 3-4M12 6h9M12 13h9M12 20h9"/>',
  groups: '<path d="M12 3l9 4.5-9 4.5-9-4.5zM3 12l9 4.5 9-4.5M3 16.5 12 21l9-4.5"/>',
  servers:
    '<rect x="3" y="4" width="18" height="7" rx="2"/><rect x="3" y="13" width="18" height="7" rx="2"/><path d="M7 7.5h.01M7 16.5h.01"/>',
  projects: '<path d="M3 19V5h6l2 3h10v11z"/>',
  configs:
    '<path d="M3 7h9M18 7h3M3 17h3M12 17h9"/><circle cx="15" cy="7" r="3"/><circle cx="9" cy="17" r="3"/>',
  users: '<circle cx="12" cy="8" r="4"/><path d="M4 21c0-4 3.5-6 8-6s8 2 8 6"/>',
  system: '<path d="M3 12h4l3-8 4 16 3-8h4"/>',
}

/** The icon of a toolset; none for a set that has no drawing. A colour that reads on light and on dark. */
export function iconsOf(toolset: string): Icon[] {
  const drawing = drawings[toolset]
  if (drawing === undefined) return []
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#6366f1" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${drawing}</svg>`
  const src = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
  return [{ src, mimeType: 'image/svg+xml', sizes: ['any'] }]
}
