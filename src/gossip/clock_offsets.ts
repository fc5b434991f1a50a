/**
 * How far this node's clock is off: the median of what its answers from others say, which a few wrong clocks do not move.
 *
 * An answer carries the time at which it was sent. Half of the round trip is taken for the way back (as NTP does), so the
 * quickest of a member's last answers says most.
 */

/** Answers of a member that are remembered. */
const ANSWERS = 8;

interface Answer {
  readonly rttMs: number;
  readonly aheadMs: number;
}

export class ClockOffsets {
  readonly #answers = new Map<number, Answer[]>();

  /** @param aheadMs By how much the member's clock was ahead of ours, reckoned with half of the round trip. */
  note(slot: number, rttMs: number, aheadMs: number): void {
    const answers = this.#answers.get(slot) ?? [];
    this.#answers.set(slot, answers);
    answers.push({ rttMs, aheadMs });
    if (answers.length > ANSWERS) answers.shift();
  }

  forget(slot: number): void {
    this.#answers.delete(slot);
  }

  /** Milliseconds by which this node's clock is ahead of the median of all, its own with them. */
  get ownMs(): number {
    const all = [...this.#answers.values()].map(best);
    all.push(0);
    all.sort((a, b) => a - b);
    const middle = (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2;
    return middle === 0 ? 0 : -middle;
  }
}

function best(answers: readonly Answer[]): number {
  return answers.reduce((a, b) => (b.rttMs < a.rttMs ? b : a)).aheadMs;
}
