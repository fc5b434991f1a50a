/** How often a body made which calls, and how long they took. */
import { nameOf } from '../sys/syscalls.ts';

export interface CallCount {
  count: number;
  milliseconds: number;
}

export class CallStatistics {
  readonly #calls = new Map<string, CallCount>();

  count(nr: number): void {
    const name = nameOf(nr);
    const entry = this.#calls.get(name);
    if (entry) entry.count++;
    else this.#calls.set(name, { count: 1, milliseconds: 0 });
  }

  took(nr: number, milliseconds: number): void {
    const entry = this.#calls.get(nameOf(nr));
    if (entry) entry.milliseconds += milliseconds;
  }

  entries(): [string, CallCount][] {
    return [...this.#calls];
  }
}
