/**
 * The order of events: a wheel of one slot a millisecond, with a list of numbers in each.
 *
 * Putting and taking cost the same whatever the number of events, and make no garbage. Events of one millisecond come in the
 * order in which they were put. What lies beyond the wheel's horizon has to be put again by whoever meant it.
 */

/** Milliseconds that the wheel reaches ahead. */
const HORIZON_MS = 16_384;

export class Wheel {
  now = 0;
  readonly #first = new Int32Array(HORIZON_MS).fill(-1);
  readonly #last = new Int32Array(HORIZON_MS).fill(-1);
  #next = new Int32Array(1024);
  #event = new Int32Array(1024);
  #free = -1;
  #used = 0;

  /** @param time Milliseconds; what is past comes next, what is too far comes at the horizon. */
  put(time: number, event: number): void {
    const at = Math.min(Math.max(Math.ceil(time), this.now), this.now + HORIZON_MS - 1) % HORIZON_MS;
    const cell = this.#cell();
    this.#event[cell] = event;
    this.#next[cell] = -1;
    if (this.#last[at] < 0) this.#first[at] = cell;
    else this.#next[this.#last[at]] = cell;
    this.#last[at] = cell;
  }

  /** Takes the next event that is due by `end`; -1 if there is none, and then it is `end`. Events are whole numbers from 0. */
  take(end: number): number {
    for (; this.now <= end; this.now += 1) {
      const at = this.now % HORIZON_MS;
      const cell = this.#first[at];
      if (cell < 0) continue;
      this.#first[at] = this.#next[cell];
      if (this.#first[at] < 0) this.#last[at] = -1;
      this.#next[cell] = this.#free;
      this.#free = cell;
      return this.#event[cell];
    }
    this.now = end;
    return -1;
  }

  #cell(): number {
    if (this.#free >= 0) {
      const cell = this.#free;
      this.#free = this.#next[cell];
      return cell;
    }
    if (this.#used === this.#next.length) {
      const [next, event] = [new Int32Array(this.#used * 2), new Int32Array(this.#used * 2)];
      next.set(this.#next);
      event.set(this.#event);
      [this.#next, this.#event] = [next, event];
    }
    this.#used += 1;
    return this.#used - 1;
  }
}
