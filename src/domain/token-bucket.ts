/** How many events may come at once, and how fast places for more of them open. */
export interface Rate {
  most: number
  /** One more place opens in this time, ms. */
  every: number
  /** How far below nothing it may go, where events are counted and not refused; absent = 0. */
  least?: number
}

/** What is left of a rate at a time; no bucket is a full one. Both in ms, whole, so that nothing is lost in between. */
export interface Bucket {
  credit: number
  at: number
}

/** The places there are now; a clock that went back opens none. */
export function levelAt(rate: Rate, bucket: Bucket | undefined, now: number): number {
  return creditAt(rate, bucket, now) / rate.every
}

/** The bucket after that many places were taken, or with a negative number given back; undefined once it is full. */
export function taken(
  rate: Rate,
  bucket: Bucket | undefined,
  now: number,
  count: number,
): Bucket | undefined {
  const left = creditAt(rate, bucket, now) - count * rate.every
  const credit = Math.max((rate.least ?? 0) * rate.every, left)
  return credit >= rate.most * rate.every ? undefined : { credit, at: now }
}

/** How long until a whole place is there, ms. */
export function waitFor(rate: Rate, bucket: Bucket | undefined, now: number): number {
  return Math.max(0, rate.every - creditAt(rate, bucket, now))
}

function creditAt(rate: Rate, bucket: Bucket | undefined, now: number): number {
  const full = rate.most * rate.every
  return bucket === undefined ? full : Math.min(full, bucket.credit + Math.max(0, now - bucket.at))
}
