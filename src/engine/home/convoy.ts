/**
 * Processes that share memory leave together: each departure waits for the others before it freezes, once all stand still,
 * and when all are ready over there. If one fails, all go on at home. See docs/internals/sharing.md.
 */
import { Company } from './company.ts';
import type { FileSupply } from './file_supply.ts';
import { SharingSet } from './sharing_set.ts';

export class Convoy extends Company<'prepared' | 'frozen' | 'ready'> {
  readonly set = new SharingSet();
  #turn: Promise<unknown> = Promise.resolve();
  readonly #supplies: FileSupply[] = [];

  /** One after the other: nobody opens again a file that is watched for another one. */
  inTurn<T>(supply: FileSupply, work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => {
      for (const other of this.#supplies) supply.files.share(other.files);
      this.#supplies.push(supply);
      return work();
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
