/**
 * Whether it pays to look out for work for a moment before sleeping. To be woken costs a worker, and whoever wakes it, more
 * than a short look; but a look in vain costs the CPU that work may be waiting for. What came of the last looks tells.
 */
/** Share of the looks that have to find something. */
const worthwhile = 0.6;
/** How much one look in vain, and one that finds something, tells: nearly nothing against long experience. */
const inVain = 1 / 16;
const success = 1 / 8;
/** When it does not pay, one look in so many is made all the same: it may pay by now. */
const probe = 64;

export class Lookout {
  #found = 1;
  #skipped = 0;

  /** Asked once before each sleep. */
  pays(): boolean {
    if (this.#found >= worthwhile) return true;
    this.#skipped = (this.#skipped + 1) % probe;
    return this.#skipped === 0;
  }

  /** What came of a look. */
  record(found: boolean): void {
    this.#found += found ? (1 - this.#found) * success : -this.#found * inVain;
  }
}
