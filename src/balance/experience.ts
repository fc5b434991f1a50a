/** What moves have cost lately, which is what the next one is expected to cost. */
import { Decayed } from '../load/decay.ts';
import type { MoveCost } from './judge.ts';

/** Milliseconds for a small process, until one has moved: as measured on an unloaded machine, with some reserve. */
const FIRST_FIXED_MS = 100;
/** Bytes in a millisecond, until one is known: a good half of a gigabit link. */
const FIRST_BYTES_PER_MS = 70_000;
/** Below this, memory is a small part of the time; above, most of it. */
const SMALL_BYTES = 8 << 20;
/** Each move counts as much as all before it. */
const EACH = 1;
/** A move that had to wait for something else for once says nothing about the next one. */
const MOST_FIXED_MS = 10_000;

export class Experience implements MoveCost {
  readonly #fixed = new Decayed(EACH);
  readonly #rates = new Map<string, Decayed>();

  get fixedMs(): number {
    return Math.min(MOST_FIXED_MS, this.#fixed.value ?? FIRST_FIXED_MS);
  }

  bytesPerMs(node: string): number {
    return this.#rates.get(node)?.value ?? FIRST_BYTES_PER_MS;
  }

  add(node: string, { totalMs, bytes }: { totalMs: number; bytes: number }): void {
    if (totalMs <= 0) return;
    if (bytes < SMALL_BYTES) {
      this.#fixed.add(totalMs, EACH);
      return;
    }
    const rate = this.#rates.get(node) ?? new Decayed(EACH);
    this.#rates.set(node, rate);
    rate.add(bytes / Math.max(1, totalMs - Math.min(this.fixedMs, totalMs / 2)), EACH);
  }
}
