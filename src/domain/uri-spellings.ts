/** Decoding again and again ends here; nobody who reads a URI decodes it more often. */
const mostDecoded = 3

/**
 * What a name may mean to whoever reads it as a URI: letter case, percent-encoding, `..` and blanks that URL parsers drop
 * all spell the same place. The first is the name itself; `resolved` are those in which nothing is left to resolve.
 */
export function spellingsOf(name: string): { all: readonly string[]; resolved: readonly string[] } {
  if (!name.includes(':') || !URL.canParse(name)) return { all: [name], resolved: [name] }
  const all = new Set([name])
  let href = new URL(name).href
  let text = decoded(href)
  for (let turn = 0; turn < mostDecoded; turn++) {
    // Where a path is a path of files, two slashes are one.
    const { pathname } = new URL(href)
    all
      .add(href)
      .add(text)
      .add(href.replace(pathname, pathname.replace(/\/{2,}/g, '/')))
    const next = URL.canParse(text) ? new URL(text).href : href
    if (next === href) break
    href = next
    text = decoded(href)
  }
  // A place without a path and one with an empty one are the same.
  return { all: [...all], resolved: [href, text, ...(href === `${name}/` ? [name] : [])] }
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href)
  } catch {
    return href
  }
}
