/**
 * The receiver's side: whether a process may come. The sender goes by what it has heard, which may be seconds old, and so do
 * all others at the same time; only the receiver knows what it has promised meanwhile. Therefore it is asked before each move,
 * counts what it has promised as if it were here already, and refuses what would not be better off with it. So nobody is flooded.
 */
import type { NodeEntry } from '../gossip/entry.ts';
import { reserveOf, shortageOf } from '../load/memory_trend.ts';
import { demandOf, shareOf, STANDARD_SPEED } from '../load/units.ts';

/** A process that wants to come. */
export interface Request {
  /** Its home, and its id there. */
  readonly home: string;
  readonly pid: number;
  readonly demand: number;
  readonly memoryBytes: number;
  /** Standard CPUs for each of its tasks where it is now; 0: it has to go, for memory or by command. */
  readonly progress: number;
}

/** Milliseconds for which a promise counts if nobody comes. Larger: a broken sender blocks for longer; smaller: large processes arrive uncounted. */
export const PROMISE_MS = 3_000;
/** It has to be better off by this factor, or it would soon want to leave again. */
const BETTER = 1.05;
const MOST_PROMISES = 1_000;

interface Promised extends Request {
  readonly at: number;
}

export class Admission {
  readonly #now: () => number;
  readonly #promised = new Map<string, Promised>();

  /** @param now Milliseconds of a clock that does not go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param own What this node tells of itself, promises included. @returns why not; undefined: it may come */
  ask(request: Request, own: NodeEntry): string | undefined {
    this.#forget();
    const { demand, memoryBytes, progress } = request;
    const { speed, cpus, freeMemory: free, totalMemory: total, status, guests, maxGuests, pressure } = own;
    if (status.block || status.leaving || status.ownerPresent) return 'it takes no guests';
    if (guests >= maxGuests) return `it takes no more than ${maxGuests} guests`;
    if (shortageOf({ total, free }, pressure.memory / 100) > 0) return 'its memory runs short';
    if (free - memoryBytes < reserveOf(total)) return 'it has too little free memory';
    const here = (speed / STANDARD_SPEED) * shareOf(cpus, demandOf(own, own.load) + demand);
    if (progress > 0 && here < progress * BETTER) return 'it would not be faster there by now';
    if (this.#promised.size >= MOST_PROMISES) return 'too many are on their way to it';
    this.#promised.set(keyOf(request), { ...request, at: this.#now() });
    return undefined;
  }

  /** It is here, and counts by itself from now on. @returns the demand that was promised; undefined if nothing was */
  arrived(home: string, pid: number): number | undefined {
    const key = keyOf({ home, pid });
    const found = this.#promised.get(key);
    this.#promised.delete(key);
    return found?.demand;
  }

  /** Tasks and bytes that have been promised and are not here yet. */
  promised(): { demand: number; memoryBytes: number } {
    this.#forget();
    const all = [...this.#promised.values()];
    return {
      demand: all.reduce((sum, one) => sum + one.demand, 0),
      memoryBytes: all.reduce((sum, one) => sum + one.memoryBytes, 0),
    };
  }

  #forget(): void {
    for (const [key, { at }] of this.#promised) if (this.#now() - at > PROMISE_MS) this.#promised.delete(key);
  }
}

function keyOf({ home, pid }: { home: string; pid: number }): string {
  return `${home} ${pid}`;
}
