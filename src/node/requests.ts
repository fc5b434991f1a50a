/** What all requests to mosd have in common: their form is checked, and what the engine answers becomes a whole sentence. */
import * as v from 'valibot';

import { messageOf } from '../lib/errors.ts';
import { LineClientError, RefusedError } from '../wire/line_errors.ts';

export const pidSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
export const pidRequest = v.looseObject({ pid: pidSchema });

/** @throws RefusedError */
export function check<T extends v.GenericSchema>(schema: T, request: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, request);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new RefusedError(
    'bad-request',
    `Cannot understand the request: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`,
  );
}

/** @param what For the message: "migrate process 12 to n2". @throws RefusedError */
export async function explained<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const reason = messageOf(error);
    if (error instanceof RefusedError)
      throw new RefusedError(error.code, reason.startsWith('Cannot ') ? reason : `Cannot ${what}: ${reason}`);
    if (error instanceof LineClientError)
      throw new RefusedError('failed', `Cannot ${what}: the engine of this node: ${reason}`);
    throw error;
  }
}
