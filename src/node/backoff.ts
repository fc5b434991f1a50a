/** Waiting times between attempts: doubled each time, with a random part so that nodes do not dial in step. */

export interface BackoffOptions {
  /** Milliseconds before the second attempt. */
  firstMs: number;
  /** Milliseconds at most. Larger: less work while a node is away; smaller: it is noticed sooner when it is back. */
  maxMs: number;
  /** Default: Math.random. */
  random?: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.firstMs;
  }

  /** The next waiting time: between half and all of it, so that it never is zero. */
  next(): number {
    const { maxMs, random = Math.random } = this.#options;
    const milliseconds = this.#nextMs * (0.5 + random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, maxMs);
    return milliseconds;
  }

  /** After a success. */
  reset(): void {
    this.#nextMs = this.#options.firstMs;
  }
}

/** Waits, unless the signal ends it before. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener('abort', finish);
  });
}
