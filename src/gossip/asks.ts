/** The questions that a node has put to others and that are not answered yet; a small table, without garbage. */

/** Questions at a time. Larger than any node has unless the network is gone, and then the oldest may be forgotten. */
const MOST = 64;

/** Helpers that are remembered for each question. */
const NACKERS = 4;

export const STAGE = { direct: 0, helped: 1 } as const;

export class Asks {
  count = 0;
  readonly slot = new Int32Array(MOST);
  readonly ask = new Uint32Array(MOST);
  readonly stage = new Uint8Array(MOST);
  /** Helpers that said that they got no answer, either: how many, and the first few of them. */
  readonly nacks = new Uint8Array(MOST);
  readonly #nacker = new Int32Array(MOST * NACKERS);
  readonly begun = new Float64Array(MOST);
  readonly deadline = new Float64Array(MOST);
  /** For helpers: who wants to know, and the number of its question; -1 if it is ours. */
  readonly asker = new Int32Array(MOST);
  readonly askerAsk = new Uint32Array(MOST);

  /** @returns the row */
  add(slot: number, ask: number, begun: number, deadline: number): number {
    if (this.count === MOST) this.remove(0);
    const at = this.count;
    this.slot[at] = slot;
    this.ask[at] = ask;
    this.stage[at] = STAGE.direct;
    this.nacks[at] = 0;
    this.begun[at] = begun;
    this.deadline[at] = deadline;
    this.asker[at] = -1;
    this.count += 1;
    return at;
  }

  /** -1 if there is none; helpers' questions have rows of their own. */
  rowOf(ask: number): number {
    for (let at = 0; at < this.count; at += 1) if (this.ask[at] === ask) return at;
    return -1;
  }

  /** Whether we wait for an answer of that member for ourselves. */
  waitsFor(slot: number): boolean {
    for (let at = 0; at < this.count; at += 1) if (this.slot[at] === slot && this.asker[at] < 0) return true;
    return false;
  }

  /** A helper got no answer. */
  deny(at: number, helper: number): void {
    if (this.nacks[at] === NACKERS) return;
    this.#nacker[at * NACKERS + this.nacks[at]] = helper;
    this.nacks[at] += 1;
  }

  nackers(at: number): Int32Array {
    return this.#nacker.slice(at * NACKERS, at * NACKERS + this.nacks[at]);
  }

  /** The last row takes the place. */
  remove(at: number): void {
    const last = this.count - 1;
    this.slot[at] = this.slot[last];
    this.ask[at] = this.ask[last];
    this.stage[at] = this.stage[last];
    this.nacks[at] = this.nacks[last];
    this.#nacker.copyWithin(at * NACKERS, last * NACKERS, (last + 1) * NACKERS);
    this.begun[at] = this.begun[last];
    this.deadline[at] = this.deadline[last];
    this.asker[at] = this.asker[last];
    this.askerAsk[at] = this.askerAsk[last];
    this.count = last;
  }
}
