/** How often a body made which calls, and how long they took. */
import { nameOf } from '../../sys/syscalls.ts';

export interface CallCount {
  count: number;
  milliseconds: number;
}

export type CallCounts = [name: string, count: CallCount][];

export function addCounts(one: CallCounts, other: CallCounts): CallCounts {
  const sum = new Map(one);
  for (const [name, { count, milliseconds }] of other) {
    const before = sum.get(name) ?? { count: 0, milliseconds: 0 };
    sum.set(name, { count: before.count + count, milliseconds: before.milliseconds + milliseconds });
  }
  return [...sum];
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

  entries(): CallCounts {
    return [...this.#calls];
  }
}
