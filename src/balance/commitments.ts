/** What this node has moved since the others' last word: it is true already, and not yet in what they have told. */

interface Commitment {
  readonly at: number;
  readonly node: string;
  readonly demand: number;
  readonly memoryBytes: number;
}

/** Milliseconds after which every node has told what it really has. */
const KEPT_MS = 30_000;

export class Commitments {
  #all: Commitment[] = [];

  /**
   * @param at When it had moved, milliseconds: since then it is not any more where it was.
   * @param askedAt When the receiver was asked: what it has told since then includes it.
   */
  add(
    { at, askedAt }: { at: number; askedAt: number },
    move: { from: string; to: string; demand: number; memoryBytes: number },
  ): void {
    const { from, to, demand, memoryBytes } = move;
    this.#all = this.#all.filter((one) => at - one.at < KEPT_MS);
    this.#all.push({ at: askedAt, node: to, demand, memoryBytes });
    this.#all.push({ at, node: from, demand: -demand, memoryBytes: -memoryBytes });
  }

  /** What is to be added to what a node told that it was at `measuredAt`. */
  since(node: string, measuredAt: number): { demand: number; memoryBytes: number } {
    const open = this.#all.filter((one) => one.node === node && one.at >= measuredAt);
    return {
      demand: open.reduce((sum, one) => sum + one.demand, 0),
      memoryBytes: open.reduce((sum, one) => sum + one.memoryBytes, 0),
    };
  }
}
