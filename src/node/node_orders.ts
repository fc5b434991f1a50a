/**
 * What the owner of this node has ordered (mosctl): what may come, and what may leave by itself. Kept in the run directory,
 * so that a restart of mosd forgets nothing; a restart of the machine begins anew.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import type { NodeStatus } from '../gossip/entry.ts';

export type Order = 'stay' | 'lstay' | 'block';

const ORDERS: readonly Order[] = ['stay', 'lstay', 'block'];

export class NodeOrders {
  readonly #file: string | undefined;
  readonly #given = new Set<Order>();
  /** It is being emptied. */
  leaving = false;
  /** Users who are logged in. */
  users = 0;
  /** Its owner works at it, and wants it for himself. */
  ownerPresent = false;

  /** @param file What outlives mosd; none in memory only. */
  constructor(file?: string) {
    this.#file = file;
    for (const order of file === undefined ? [] : readOrders(file)) this.#given.add(order);
  }

  set(order: Order, on: boolean): void {
    if (on) this.#given.add(order);
    else this.#given.delete(order);
    if (this.#file === undefined) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#given]), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  is(order: Order): boolean {
    return this.#given.has(order);
  }

  get status(): NodeStatus {
    return {
      stay: this.is('stay'),
      lstay: this.is('lstay'),
      block: this.is('block'),
      hostingOnly: false,
      leaving: this.leaving,
      ownerPresent: this.ownerPresent,
      engineDown: false,
    };
  }

  /** Why no guests may come; undefined: they may. */
  get closed(): string | undefined {
    if (this.leaving) return 'this node is being emptied';
    if (this.is('block')) return 'this node takes no guests (mosctl block)';
    return this.ownerPresent ? 'the owner of this node works at it' : undefined;
  }
}

function readOrders(file: string): Order[] {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(value) ? ORDERS.filter((order) => value.includes(order)) : [];
  } catch {
    return []; // none have been given
  }
}
