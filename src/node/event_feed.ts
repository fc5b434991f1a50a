/**
 * What happens on this node, for whoever watches it on the command socket: monitors, scripts.
 *
 * Promise: a watcher that does not read costs a bounded piece of memory and delays nobody; it is told how much it has missed.
 */
import type { WatchEvent, WatchNews } from '../wire/command_protocol.ts';

/** Events that are kept for a watcher who is not reading. Larger: fewer are missed; smaller: less memory for each. */
const MAX_WAITING = 256;
/** Milliseconds between two attempts to tell who was not reading. */
const RETRY_MS = 200;
/** Milliseconds between two signs of life. */
const LIFE_MS = 5_000;

export class EventFeed {
  readonly #watchers = new Set<Watcher>();

  publish(event: WatchEvent): void {
    for (const watcher of this.#watchers) watcher.take(event);
  }

  /**
   * Tells what happens from now on, until `gone` aborts.
   * @param tell Returns whether it was taken.
   */
  async follow(gone: AbortSignal, tell: (news: WatchNews) => boolean): Promise<void> {
    if (gone.aborted) return;
    const watcher = new Watcher(tell);
    this.#watchers.add(watcher);
    watcher.sign();
    await new Promise<void>((resolve) => {
      gone.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#watchers.delete(watcher);
    watcher.stop();
  }
}

class Watcher {
  readonly #tell: (news: WatchNews) => boolean;
  readonly #life: NodeJS.Timeout;
  #waiting: WatchEvent[] = [];
  #missed = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(tell: (news: WatchNews) => boolean) {
    this.#tell = tell;
    this.#life = setInterval(() => this.sign(), LIFE_MS).unref();
  }

  take(event: WatchEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#missed += 1;
    }
    this.#retry ??= setTimeout(() => this.sign(), this.#waiting.length > 1 ? RETRY_MS : 0).unref();
  }

  /** Tells what waits, if only that there is nothing. */
  sign(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#tell({ events: this.#waiting, missed: this.#missed })) {
      this.#waiting = [];
      this.#missed = 0;
    } else if (this.#waiting.length > 0) this.#retry = setTimeout(() => this.sign(), RETRY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#life);
    clearTimeout(this.#retry);
  }
}
