/**
 * A set of processes that share memory goes on to another node: all of them stand still before any of it is sent, and
 * none begins there before all are complete. See docs/internals/sharing.md.
 */
import { randomBytes } from 'node:crypto';
import { Company } from './company.ts';
import type { OnwardCompanyOrder } from '../image/onward_messages.ts';

/** One of them, complete on the next node. */
interface Start {
  /** @throws when it may not begin there */
  readonly check: () => void;
  /** Has it begin; settles when that is heard. */
  readonly go: () => Promise<void>;
}

export class OnwardCompany extends Company<'prepared' | 'ready'> {
  /** By this the node that they leave knows them. */
  readonly order: OnwardCompanyOrder = { id: randomBytes(16).toString('hex'), size: this.size };
  readonly #starts: Start[] = [];
  #begun: Promise<void> | undefined;

  /**
   * Settles when all may begin and one has: from then on they are on the next node. The decision is one step: nothing comes
   * between the look at the last of them and the word to all.
   */
  async begin(start: Start): Promise<void> {
    this.#starts.push(start);
    await this.meet('ready');
    this.#begun ??= this.#beginAll();
    return this.orFail(this.#begun);
  }

  async #beginAll(): Promise<void> {
    for (const { check } of this.#starts) check();
    await Promise.any(this.#starts.map(({ go }) => go())).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }
}
