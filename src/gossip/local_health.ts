/**
 * How far this node may trust itself: Lifeguard's local health multiplier (Dadgar, Phillips, Currey: "Lifeguard", 2018).
 *
 * A node that is itself starved or badly connected sees everybody fail. Each sign of that makes it more patient: it waits
 * longer for answers and asks less often (LHA-probe). Each answer in time makes it less so.
 */

/** The highest score. Larger: a starved node accuses fewer others, and notices deaths later. */
const WORST = 8;

export class LocalHealth {
  #score = 0;

  get score(): number {
    return this.#score;
  }

  /** By what the times of probes are to be multiplied. */
  get factor(): number {
    return this.#score + 1;
  }

  /** An answer came in time. */
  good(): void {
    if (this.#score > 0) this.#score -= 1;
  }

  /** A question of ours failed, a helper did not even say that it got no answer, we had to refute a suspicion, or we stalled. */
  bad(): void {
    if (this.#score < WORST) this.#score += 1;
  }
}
