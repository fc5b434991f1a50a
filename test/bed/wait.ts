/** Waiting with a deadline, for things the kernel does not announce. */
import { setTimeout as delay } from 'node:timers/promises';
import { BedTimeoutError } from './errors.ts';

export interface WaitOptions {
  /** what is awaited, to complete "Cannot …" */
  what: string;
  timeoutMs: number;
  /** pause between two looks; default 2 ms */
  everyMs?: number;
}

/** Returns the first value of `look` that is not undefined or false. */
export async function until<T>(look: () => T | Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new BedTimeoutError(options.what, options.timeoutMs);
    await delay(options.everyMs ?? 2);
  }
}

/** The same for callers that cannot be asynchronous; it blocks the thread, so keep it to milliseconds. */
export function untilBlocking<T>(look: () => T | undefined, options: WaitOptions): T {
  const deadline = performance.now() + options.timeoutMs;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new BedTimeoutError(options.what, options.timeoutMs);
    Atomics.wait(sleeper, 0, 0, options.everyMs ?? 1);
  }
}

/** Settles as `promise` does, or fails after `timeoutMs`; an unsettled promise keeps nothing alive. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  timeoutMs: number,
  detail?: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BedTimeoutError(what, timeoutMs, detail?.())), timeoutMs);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
