/**
 * News that ride on every message until each has been sent often enough: SWIM's infection-style dissemination.
 *
 * Urgent ones (deaths, leavings, what refutes a suspicion of this node) go first. Among equals the turn goes round, so that
 * each news gets its share when there are more than fit into a message. A newer word about a member takes the place of an older.
 */
import type { Message } from './message.ts';

/** Urgent news ride that much more often: they are rare, and a part of their rides is over at once. */
const URGENT_FACTOR = 3;

interface Item {
  readonly slot: number;
  readonly state: number;
  readonly incarnation: number;
  readonly from: number;
  sends: number;
}

export interface News {
  readonly slot: number;
  readonly state: number;
  readonly incarnation: number;
  readonly from: number;
  readonly urgent: boolean;
}

export class NewsQueue {
  #urgent: Item[] = [];
  #common: Item[] = [];
  #turn = 0;

  get size(): number {
    return this.#urgent.length + this.#common.length;
  }

  add({ slot, state, incarnation, from, urgent }: News): void {
    if (this.size > 0) {
      this.#urgent = without(this.#urgent, slot);
      this.#common = without(this.#common, slot);
    }
    (urgent ? this.#urgent : this.#common).push({ slot, state, incarnation, from, sends: 0 });
  }

  /** Puts up to `most` news into the message; each has its last ride at `sends`, urgent ones later. */
  load(message: Message, most: number, sends: number): void {
    if (this.size === 0) return;
    this.#turn += 1;
    this.#urgent = this.#loadFrom(this.#urgent, message, { most, sends: sends * URGENT_FACTOR });
    const left = most - Math.min(most, message.news);
    if (left > 0) this.#common = this.#loadFrom(this.#common, message, { most: left, sends });
  }

  #loadFrom(items: Item[], message: Message, { most, sends }: { most: number; sends: number }): Item[] {
    const count = Math.min(most, items.length);
    const first = count < items.length ? this.#turn * count : 0;
    let over = false;
    for (let i = 0; i < count; i += 1) {
      const item = items[(first + i) % items.length];
      message.addNews(item.slot, item.state, item.incarnation, item.from);
      item.sends += 1;
      over ||= item.sends >= sends;
    }
    return over ? items.filter((item) => item.sends < sends) : items;
  }
}

function without(items: Item[], slot: number): Item[] {
  return items.some((item) => item.slot === slot) ? items.filter((item) => item.slot !== slot) : items;
}
