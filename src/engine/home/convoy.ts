/**
 * Processes that share memory leave together: each departure waits for the others before it freezes, once all stand still,
 * and when all are ready over there. If one fails, all go on at home. See docs/internals/sharing.md.
 */
import { frameType } from '../../wire/frames.ts';
import type { FileSupply } from './file_supply.ts';
import type { GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { SharingSet } from './sharing_set.ts';

export type MeetingPoint = 'prepared' | 'frozen' | 'ready';

interface Meeting {
  readonly point: MeetingPoint;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Convoy {
  readonly pids: readonly number[];
  readonly set = new SharingSet();
  readonly #loop: Loop;
  #leader: Promise<GuestLink> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #supplies: FileSupply[] = [];
  #waiting: Meeting[] = [];
  #failed: Error | undefined;

  constructor(loop: Loop, pids: readonly number[]) {
    this.#loop = loop;
    this.pids = pids;
  }

  /** All travel over one connection, so that what is sent later is newer. @param dial makes it */
  async link(dial: () => Promise<GuestLink>): Promise<GuestLink> {
    if (!this.#leader) return (this.#leader = dial());
    const leader = await this.#leader;
    const link = leader.branch();
    leader.sendJson(frameType.member, { channel: link.number });
    return link;
  }

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

  /** Settles when all have come to this point. @throws what another one failed with */
  async meet(point: MeetingPoint): Promise<void> {
    if (this.#failed) throw this.#failed;
    const here = this.#waiting.filter((each) => each.point === point);
    if (here.length + 1 < this.pids.length)
      return this.#loop.promise<void>((resolve, reject) => void this.#waiting.push({ point, resolve, reject }));
    this.#waiting = this.#waiting.filter((each) => each.point !== point);
    for (const { resolve } of here) resolve();
  }

  /** One does not leave: nobody does. */
  fail(error: Error): void {
    this.#failed ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failed);
  }
}
