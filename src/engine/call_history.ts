/** What the processes of this node asked their home for whenever they were away, and what brought them back. */
import type { CallList } from '../wire/engine_protocol.ts';
import { addCounts, type CallCounts } from './image/call_statistics.ts';

export class CallHistory {
  readonly #processes = new Map<number, { calls: CallCounts; reasons: Map<string, number> }>();

  /** A process has come home. */
  add({ pid, calls, reason }: { pid: number; calls: CallCounts; reason: string }): void {
    const entry = this.#processes.get(pid) ?? { calls: [], reasons: new Map<string, number>() };
    entry.calls = addCounts(entry.calls, calls);
    if (reason) entry.reasons.set(reason, (entry.reasons.get(reason) ?? 0) + 1);
    this.#processes.set(pid, entry);
  }

  forget(pid: number): void {
    this.#processes.delete(pid);
  }

  /** @param now calls of the stay that lasts */
  list(pid: number, now: CallCounts): CallList {
    const entry = this.#processes.get(pid);
    return {
      calls: addCounts(entry?.calls ?? [], now).map(([name, { count, milliseconds }]) => ({
        name,
        count,
        micros: Math.round(milliseconds * 1000),
      })),
      reasons: [...(entry?.reasons ?? [])].map(([reason, count]) => ({ reason, count })),
    };
  }
}
