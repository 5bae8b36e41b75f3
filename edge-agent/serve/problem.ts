// Errors over HTTP, all of one form: RFC 9457, Problem Details.
import { STATUS_CODES } from 'node:http'
import { z } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

export const problemType = 'application/problem+json'

export const Problem = z
  .object({
    title: z.string().openapi({ description: 'The status in words.' }),
    status: z.int(),
    detail: z.string().openapi({ description: 'What was wrong and what to do, for a person.' }),
  })
  .openapi('Problem')

export const problemText = (status: number, detail: string) =>
  JSON.stringify({ title: STATUS_CODES[status] ?? 'Error', status, detail } satisfies z.infer<typeof Problem>)

/** An answer that refuses; to be thrown, or returned with `getResponse()`. */
export const problem = (status: ContentfulStatusCode, detail: string, headers: Record<string, string> = {}) =>
  new HTTPException(status, {
    message: detail,
    res: new Response(problemText(status, detail), { status, headers: { 'content-type': problemType, ...headers } }),
  })
