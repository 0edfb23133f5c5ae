/** What checking a stored digest may cost: 128 MiB, ten passes, four lanes (security R6). */
const most = { m: 131_072, t: 10, p: 4 }

const form =
  /^\$argon2id\$v=19\$([mtp])=(\d{1,9}),([mtp])=(\d{1,9}),([mtp])=(\d{1,9})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/

/** Whether it is an argon2id digest that costs no more than a digest of ours may; it comes from storage others can write. */
export function affordableDigest(digest: string): boolean {
  const found = form.exec(digest)
  if (found === null) return false
  const [, a = '', x, b = '', y, c = '', z] = found
  const { m = 0, t = 0, p = 0 }: Record<string, number> = { [a]: Number(x), [b]: Number(y), [c]: Number(z) }
  // Below eight blocks a lane there is no computation to do, and the library throws.
  return p >= 1 && t >= 1 && m >= 8 * p && m <= most.m && t <= most.t && p <= most.p
}
