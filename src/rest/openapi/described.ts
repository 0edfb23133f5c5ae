import type { z } from 'zod'
import type { AppError } from '../../core/errors.ts'

/** What comes with a status: JSON of a schema, or something of another type. */
export interface Told {
  about: string
  schema?: z.ZodType
  /** Of an answer that is no JSON. */
  type?: string
  /** What its own headers mean, by name. */
  headers?: Record<string, string>
}

/** A route as the documentation tells it. */
export interface Described {
  method: string
  /** With parameters as `:name`. */
  path: string
  /** Names it among all routes. */
  id: string
  summary: string
  about: string
  /** Needs no credential. */
  public?: boolean
  /** Takes HTTP Basic as well. */
  basic?: boolean
  /** Its body is a form. */
  form?: boolean
  /** Takes the header Idempotency-Key. */
  retryable?: boolean
  query?: z.ZodObject | undefined
  body?: z.ZodType | undefined
  /** What the parameters of the path mean, by name. */
  params?: Record<string, string>
  /** By status. */
  answers: Record<number, Told>
  /** Statuses of refusals, each with the body of its chapter. */
  refusals: readonly number[]
}

/** Routes that belong together: they stand under one tag and word their refusals alike. */
export interface Chapter {
  tag: string
  about: string
  /** Names the family among those that word refusals. */
  family: string
  /** The body of every refusal. */
  refusal: z.ZodType
  routes: readonly Described[]
}

/** How a family turns a refusal into a status. */
export type StatusOf = (error: AppError) => number
