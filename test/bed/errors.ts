/** What can go wrong with the test-bed itself, as opposed to the programs that run in it. */

export class BedError extends Error {
  constructor(what: string, reason: string, options?: ErrorOptions) {
    super(`Cannot ${what}: ${reason}`, options);
    this.name = 'BedError';
  }
}

/** A program in a host, or the bed itself, did not get there in time. */
export class BedTimeoutError extends BedError {
  constructor(what: string, milliseconds: number, detail = '') {
    super(what, `not done within ${milliseconds} ms${detail}`);
    this.name = 'BedTimeoutError';
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
