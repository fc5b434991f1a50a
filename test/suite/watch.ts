/**
 * Follows one process while it runs, by asking its home node a few times a second: how often it moved, what it
 * forwarded, and why it came home. What a node knows is gone when the process ends, hence the asking.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessRow } from '../../src/wire/engine_protocol.ts';
import type { Control } from './control.ts';

const intervalMs = 100;
/** The engine's reason for a homecoming that was asked for. */
const byCommand = 'recalled';

export class Watch {
  moves = 0;
  forwarded = 0;
  /** Why it came home by itself, and how often. */
  reasons: Readonly<Record<string, number>> = {};
  /** Where it was seen last. */
  last: ProcessRow | undefined;
  readonly #control: Control;
  readonly #pid: number;

  constructor(control: Control, pid: number) {
    this.#control = control;
    this.#pid = pid;
  }

  get comeHome(): number {
    return Object.values(this.reasons).reduce((sum, count) => sum + count, 0);
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
    const row = [...list.away, ...list.returned].find((one) => one.pid === this.#pid);
    if (row === undefined) return;
    this.last = row;
    this.moves = Math.max(this.moves, row.moves);
    this.forwarded = Math.max(this.forwarded, row.forwarded);
    const report = await this.#control.calls(this.#pid);
    const own = report.reasons.filter(({ reason }) => reason !== byCommand);
    this.reasons = Object.fromEntries(own.map(({ reason, count }) => [reason, count]));
  }
}
