/**
 * When a process of a placed job leaves again that came home by itself, for a call that only home can make (or that was
 * not allowed to leave). Most such calls belong to a start or an end (a library looks at the machine, a file is mapped in a rare way) and do not come
 * again; some programs live by them and are better off at home. So it rests at home before it leaves, longer each time,
 * and what has stayed away for long begins anew.
 */
import { performance } from 'node:perf_hooks';

/** Milliseconds of the first rest. Larger: longer at home after a single call; smaller: two freezes for a series of them. */
const FIRST_REST_MS = 250;
/** Milliseconds of the longest. Times two each time until then: a program that comes home with each call is there 99 %. */
const LONGEST_REST_MS = 60_000;
/** What has been away for this many times its last rest starts again with the first one. */
const FORGIVEN_AFTER = 20;

interface Rest {
  lastMs: number;
  /** When it left after it, or is to. */
  until: number;
}

export class LeaveAgain<Process extends object> {
  readonly #rests = new WeakMap<Process, Rest>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that does not go back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** It has come home by itself just now. @returns for how many milliseconds it stays */
  rest(process: Process): number {
    const now = this.#now();
    const last = this.#rests.get(process);
    const forgiven = last === undefined || now - last.until > FORGIVEN_AFTER * last.lastMs;
    const lastMs = forgiven ? FIRST_REST_MS : Math.min(last.lastMs * 2, LONGEST_REST_MS);
    this.#rests.set(process, { lastMs, until: now + lastMs });
    return lastMs;
  }
}
