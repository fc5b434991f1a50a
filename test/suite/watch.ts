/**
 * Follows a process, or a job of several, while it runs, by asking its home node a few times a second: how often it moved,
 * what it forwarded, and why it came home. What a node knows is gone when the process ends, hence the asking.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessRow } from '../../src/wire/engine_protocol.ts';
import type { Control } from './control.ts';

const intervalMs = 100;
/** The engine's reason for a homecoming that was asked for. */
const byCommand = 'recalled';

interface Seen {
  moves: number;
  forwarded: number;
  reasons: ReadonlyMap<string, number>;
}

export class Watch {
  readonly #control: Control;
  readonly #belongs: (row: ProcessRow) => boolean;
  /** All processes that were away, those that have ended, too. */
  readonly #seen = new Map<number, Seen>();

  constructor(control: Control, belongs: (row: ProcessRow) => boolean) {
    this.#control = control;
    this.#belongs = belongs;
  }

  get moves(): number {
    return sum([...this.#seen.values()].map(({ moves }) => moves));
  }

  get forwarded(): number {
    return sum([...this.#seen.values()].map(({ forwarded }) => forwarded));
  }

  /** Why it came home by itself, and how often. */
  get reasons(): Readonly<Record<string, number>> {
    const all = new Map<string, number>();
    for (const { reasons } of this.#seen.values())
      for (const [reason, count] of reasons) all.set(reason, (all.get(reason) ?? 0) + count);
    return Object.fromEntries(all);
  }

  get comeHome(): number {
    return sum(Object.values(this.reasons));
  }

  /** Asks until `ended` fires. Errors end it: a node that does not answer is judged by the case's result. */
  async run(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      try {
        await this.#look();
      } catch {
        if (ended.aborted) return;
      }
      await sleep(intervalMs, undefined, { signal: ended }).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const list = await this.#control.list();
    const rows = [...list.away, ...list.returned].filter(this.#belongs);
    await Promise.all(rows.map((row) => this.#lookAt(row)));
  }

  async #lookAt({ pid, moves, forwarded }: ProcessRow): Promise<void> {
    const before = this.#seen.get(pid);
    const seen = {
      moves: Math.max(before?.moves ?? 0, moves),
      forwarded: Math.max(before?.forwarded ?? 0, forwarded),
      reasons: before?.reasons ?? new Map(),
    };
    this.#seen.set(pid, seen);
    const report = await this.#control.calls(pid);
    const own = report.reasons.filter(({ reason }) => reason !== byCommand);
    seen.reasons = new Map(own.map(({ reason, count }) => [reason, count]));
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
