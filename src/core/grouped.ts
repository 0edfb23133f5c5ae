/** Rows by a member of theirs, in their order. */
export function grouped<Row, Key>(rows: readonly Row[], key: (row: Row) => Key): Map<Key, Row[]> {
  const found = new Map<Key, Row[]>()
  for (const row of rows) {
    const group = found.get(key(row))
    if (group === undefined) found.set(key(row), [row])
    else group.push(row)
  }
  return found
}
