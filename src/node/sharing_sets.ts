/** Which processes share memory and so move as one. The engine knows; it is asked now and then, because it costs a look at all. */
import { performance } from 'node:perf_hooks';

import type { EngineLink } from './engine_link.ts';

/** Milliseconds for which an answer is believed. A move looks itself, so a stale one costs a wrong estimate at most. */
const BELIEVED_MS = 5_000;
/** Processes in one question. */
const AT_ONCE = 64;

export class SharingSets {
  readonly #engine: EngineLink;
  readonly #sets = new Map<number, { set: readonly number[]; at: number }>();

  constructor(engine: EngineLink) {
    this.#engine = engine;
  }

  /** @param home Processes that are at home: those that are away keep the set in which they left. */
  async refresh(home: readonly number[]): Promise<void> {
    const now = performance.now();
    const due = home.filter((pid) => now - (this.#sets.get(pid)?.at ?? -Infinity) > BELIEVED_MS).slice(0, AT_ONCE);
    if (due.length === 0 || this.#engine.down !== undefined) return;
    const answer = await this.#engine.engine.sets(due).catch(() => undefined);
    due.forEach((pid, index) => this.#sets.set(pid, { set: answer?.sets[index] ?? [pid], at: now }));
    if (this.#sets.size > 4 * AT_ONCE)
      for (const [pid, { at }] of this.#sets) if (now - at > 3_600_000) this.#sets.delete(pid);
  }

  of(pid: number): readonly number[] {
    return this.#sets.get(pid)?.set ?? [pid];
  }
}
