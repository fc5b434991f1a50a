/** What happened to processes that are away, for mosd, which asks for what it has not heard yet. */
import type { EngineEvent, EventList } from '../wire/engine_protocol.ts';

/** Events kept for a mosd that starts anew; more cost memory only. */
const kept = 10_000;
/** After this an asker is answered in any case, milliseconds. */
const longestWait = 5000;

export class EventLog {
  readonly #events: EngineEvent[] = [];
  /** How many there were before those that are kept. */
  #dropped = 0;
  readonly #waiters = new Set<() => void>();

  add(event: EngineEvent): void {
    this.#events.push(event);
    if (this.#events.length > kept) {
      this.#events.shift();
      this.#dropped++;
    }
    for (const wake of this.#waiters) wake();
  }

  get #count(): number {
    return this.#dropped + this.#events.length;
  }

  /** All events behind the first `after`, as soon as there are any; without `after` only their number so far. */
  async since(after: number | undefined): Promise<EventList> {
    if (after === undefined || after > this.#count) return { next: this.#count, events: [] };
    if (after === this.#count) await this.#another();
    return { next: this.#count, events: this.#events.slice(Math.max(0, after - this.#dropped)) };
  }

  #another(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, longestWait);
      this.#waiters.add(wake);
    });
  }
}
