/**
 * What the guests of one family share on their hosting node: the berth, its cgroup, and the listener of the filter that
 * all of them have inherited. Each guest comes and goes by itself; the last one gives back what was shared.
 * See docs/internals/families.md.
 */
import { EPOLLIN } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { Berth } from './berth.ts';
import { removeCgroup } from './cgroup.ts';
import { Listener, type TrappedCall } from './listener.ts';
import type { Loop } from '../link/loop.ts';

export class Family {
  readonly #loop: Loop;
  readonly #berth: Berth;
  readonly #cgroup: string | undefined;
  /** Process ids as this host sees them. */
  readonly #members = new Set<number>();
  readonly #takers = new Map<number, (call: TrappedCall) => void>();
  #listener: Listener | undefined;

  constructor(loop: Loop, berth: Berth, cgroup: string | undefined) {
    this.#loop = loop;
    this.#berth = berth;
    this.#cgroup = cgroup;
    this.#members.add(berth.body.tid);
    for (const pid of berth.processes) loop.discardTask(pid);
  }

  /** The filter is in place: its calls come out of this descriptor. */
  listen(descriptor: number): void {
    const listener = new Listener(descriptor);
    this.#listener = listener;
    this.#loop.watch(descriptor, EPOLLIN, () => {
      const trapped = listener.receive();
      if (trapped) this.#takers.get(trapped.hostTid)?.(trapped);
    });
  }

  get listener(): Listener {
    if (!this.#listener) throw new Error('Cannot answer a call: the family has no filter yet');
    return this.#listener;
  }

  /** Trapped calls of a thread go to its body. */
  take(hostTid: number, taker: (call: TrappedCall) => void): void {
    this.#takers.set(hostTid, taker);
  }

  forget(hostTid: number): void {
    this.#takers.delete(hostTid);
  }

  join(hostPid: number): void {
    this.#members.add(hostPid);
  }

  /** A guest has no use for its body any more. */
  leave(hostPid: number): void {
    if (!this.#members.delete(hostPid)) return;
    if (this.#members.size > 0) return void kernel.call(nr.kill, hostPid, 9);
    if (this.#listener) {
      this.#loop.unwatch(this.#listener.fd);
      this.#listener.close();
    }
    this.#berth.destroy();
    const cgroup = this.#cgroup;
    if (cgroup) removeCgroup(this.#loop, cgroup);
  }
}
