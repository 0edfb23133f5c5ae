/** The values of a query by name; a name that comes twice is a list. */
export function listedQuery(search: string): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null)
  for (const name of new Set(new URLSearchParams(search).keys())) {
    const all = new URLSearchParams(search).getAll(name)
    values[name] = all.length === 1 ? all[0] : all
  }
  return values
}
