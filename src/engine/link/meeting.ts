/**
 * Several that do the same side by side, each for a process of its own, wait for each other at points of their way. If one
 * fails all do.
 */
import type { Loop } from './loop.ts';

interface Waiting {
  /** undefined: it waits for something else, and for a failure. */
  readonly point: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Meeting<Point extends string> {
  readonly size: number;
  readonly #loop: Loop;
  #waiting: Waiting[] = [];
  #failed: Error | undefined;

  constructor(loop: Loop, size: number) {
    this.#loop = loop;
    this.size = size;
  }

  /** Settles when all have come to this point. @throws what another one failed with */
  async meet(point: Point): Promise<void> {
    if (this.#failed) throw this.#failed;
    const here = this.#waiting.filter((each) => each.point === point);
    if (here.length + 1 < this.size) return this.#wait(point);
    this.#waiting = this.#waiting.filter((each) => each.point !== point);
    for (const { resolve } of here) resolve();
  }

  /** Settles as the work does, or as soon as another one fails. @throws also what another one failed with */
  async orFail<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#wait(undefined).then(() => work)]);
  }

  #wait(point: Point | undefined): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed);
    return this.#loop.promise<void>((resolve, reject) => void this.#waiting.push({ point, resolve, reject }));
  }

  fail(error: Error): void {
    this.#failed ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failed);
  }
}
