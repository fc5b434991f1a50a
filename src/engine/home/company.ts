/** Processes that share memory move together: over one connection, and each step when all have done the last one. */
import { frameType } from '../../wire/frames.ts';
import type { GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { Meeting } from '../link/meeting.ts';

export class Company<Point extends string> extends Meeting<Point> {
  readonly pids: readonly number[];
  #leader: Promise<GuestLink> | undefined;

  constructor(loop: Loop, pids: readonly number[]) {
    super(loop, pids.length);
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
}
