/**
 * Why each process is where it is: what was decided about it, with the figures, and what came of it. Bounded: the last words
 * about each process that lives, and the last events of the node.
 */
import type { Figures } from './judge.ts';

export interface DecisionRecord {
  /** Counts all events of this node; absent for "no" decisions, of which only the latest is kept. */
  readonly seq?: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly pid: number;
  readonly kind: 'moved' | 'stays' | 'refused' | 'failed' | 'gained';
  readonly from: string;
  readonly to?: string;
  readonly why: string;
  readonly figures?: Figures;
  /** Of `gained`: how many times faster it was to become, and became. */
  readonly predicted?: number;
  readonly came?: number;
  /** Milliseconds that it stood still. */
  readonly freezeMs?: number;
}

export interface Why {
  readonly pid: number;
  /** What was decided last, a "no" included. */
  readonly last?: DecisionRecord;
  /** What became of it before, oldest first. */
  readonly events: readonly DecisionRecord[];
}

const EVENTS_KEPT = 1_000;
const EVENTS_OF_PROCESS = 20;
const PROCESSES_KEPT = 2_000;

export class DecisionLog {
  readonly #events: DecisionRecord[] = [];
  readonly #last = new Map<number, DecisionRecord>();
  #seq = 0;

  /** A "no": only the latest of each process is kept. */
  stays(record: DecisionRecord): void {
    this.#last.delete(record.pid);
    this.#last.set(record.pid, record);
    const oldest = this.#last.keys().next();
    if (this.#last.size > PROCESSES_KEPT && oldest.done !== true) this.#last.delete(oldest.value);
  }

  event(record: Omit<DecisionRecord, 'seq'>): DecisionRecord {
    const kept = { ...record, seq: ++this.#seq };
    this.#events.push(kept);
    if (this.#events.length > EVENTS_KEPT) this.#events.shift();
    if (record.kind !== 'gained') this.stays(kept);
    return kept;
  }

  why(pid: number): Why {
    return {
      pid,
      last: this.#last.get(pid),
      events: this.#events.filter((one) => one.pid === pid).slice(-EVENTS_OF_PROCESS),
    };
  }

  /** Those behind `after`; all that are kept without it. */
  since(after = 0): { next: number; events: readonly DecisionRecord[] } {
    return { next: this.#seq, events: this.#events.filter(({ seq = 0 }) => seq > after) };
  }
}
