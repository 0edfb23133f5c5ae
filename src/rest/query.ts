/** The values of a query by name; a name that comes twice is a list. */
export function listedQuery(search: string): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null)
  for (const [name, all] of Object.entries(everyValue(search))) values[name] = all.length === 1 ? all[0] : all
  return values
}

/** All values of a query by name, in one pass; `named` says what a written name means. */
export function everyValue(search: string, named = (written: string) => written): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null)
  for (const [written, value] of new URLSearchParams(search)) {
    const name = named(written)
    const known = values[name]
    if (known === undefined) values[name] = [value]
    else known.push(value)
  }
  return values
}

/** A text to look a thing up by: one that no store can hold takes a form that nothing has, and is not found. */
export function soughtBy(text: string): string {
  return soughtWithin(text, 200)
}

/** As `soughtBy`, for names of up to that many characters. */
export function soughtWithin(text: string, longest: number): string {
  const storable = text !== '' && text.length <= longest && !/[\0\p{Surrogate}]/u.test(text)
  return storable ? text : [...JSON.stringify(text)].slice(0, 100).join('')
}
