/** Those who wait for a process to come home: they hear how far it is, and in the end whether it came. */
import type { Progress, ReturnResult } from '../image/departure_types.ts';
import type { Loop } from '../link/loop.ts';

interface Waiter {
  resolve: (result: ReturnResult) => void;
  reject: (error: Error) => void;
  progress: Progress;
}

export class Recalls {
  readonly #loop: Loop;
  #waiting: Waiter[] = [];

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  wait(progress: Progress): Promise<ReturnResult> {
    return this.#loop.promise((resolve, reject) => void this.#waiting.push({ resolve, reject, progress }));
  }

  readonly progress: Progress = (phase, bytes, total) => {
    for (const waiter of this.#waiting) waiter.progress(phase, bytes, total);
  };

  resolve(result: ReturnResult): void {
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(result);
  }

  reject(error: Error): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }
}
