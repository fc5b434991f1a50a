/**
 * Whether memory is about to run short. Where it shrinks fast one must act while there is some left: moving takes time,
 * and the kernel's OOM killer does not wait. So what counts is what will be free when a move could be over.
 */
import { Decayed } from './decay.ts';

/** Memory of a node, or of what its cgroups allow it, in bytes. */
export interface MemoryUse {
  readonly total: number;
  /** What programs could still get without anybody being pushed out but clean pages of files. */
  readonly free: number;
}

/** Part of the memory that is to stay free. Larger: moves earlier, uses less; smaller: closer to the OOM killer. */
export const RESERVE = 0.05;
/** Milliseconds ahead: a second until the next look, and one or two for the move. */
export const AHEAD_MS = 3_000;
/** Above this part of time in which tasks stall for memory (PSI, some) memory counts as short, whatever is free. */
const STALLED = 0.2;
const HALF_LIFE_MS = 1_500;

/** Bytes that a node of this size keeps free. */
export function reserveOf(totalBytes: number): number {
  return totalBytes * RESERVE;
}

/** Bytes that have to go from a node; 0: there is enough. @param stalled Part of time in which tasks wait for memory, 0 to 1. */
export function shortageOf({ total, free }: MemoryUse, stalled: number): number {
  const lacking = Math.ceil(Math.max(0, reserveOf(total) - free));
  return lacking === 0 && stalled > STALLED ? Math.ceil(reserveOf(total)) : lacking;
}

export class MemoryTrend {
  /** Bytes a millisecond; negative while memory shrinks. */
  readonly #slope = new Decayed(HALF_LIFE_MS);
  #last: { at: number; free: number } | undefined;

  /** @param at Milliseconds. @returns the memory as it is going to be */
  feed(at: number, { total, free }: MemoryUse): MemoryUse {
    if (this.#last !== undefined && at > this.#last.at)
      this.#slope.add((free - this.#last.free) / (at - this.#last.at), at - this.#last.at);
    this.#last = { at, free };
    return { total, free: Math.max(0, free + Math.min(0, this.#slope.value ?? 0) * AHEAD_MS) };
  }
}
