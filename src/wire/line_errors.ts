/** How a request on a local socket can fail: refused by the other side, or never answered. */
import type { ErrorCode } from './engine_protocol.ts';

/** The other side answered that it cannot or will not; `message` is a sentence for the user. */
export class RefusedError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'RefusedError';
    this.code = code;
  }
}

/** There is no other side, or it was lost, or it is silent. */
export class LineClientError extends Error {
  /** The errno name of a failed connect. */
  readonly code: string | undefined;

  constructor(message: string, code?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LineClientError';
    this.code = code;
  }
}

/** The refusal in an answer's `error`. */
export function refusalOf(error: unknown): RefusedError {
  const { code, message } = (error ?? {}) as Record<string, unknown>;
  return new RefusedError(
    typeof code === 'string' ? (code as ErrorCode) : 'failed',
    typeof message === 'string' ? message : 'no reason was given',
  );
}
