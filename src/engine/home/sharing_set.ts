/**
 * Processes that share memory and are away together: those that left as a convoy, and those that were forked there. They
 * come home together, since memory at home is not theirs before the last of them is there. See docs/internals/sharing.md.
 */
import { close } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { withCString } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { sharedMemoryName } from '../image/live_files.ts';
import type { FileImage } from '../image/image.ts';

export interface SetMember {
  readonly pid: number;
  /** Has its hosting node send it home, if it is not on its way already. */
  callHome(): void;
  /** All of it is at home. */
  readonly complete: boolean;
  /** It runs, at home. */
  resume(): void;
}

export class SharingSet {
  readonly #members = new Set<SetMember>();
  /** Memory that was made away, by identity: where all members find it at home. */
  readonly #made = new Map<string, number>();

  join(member: SetMember): this {
    this.#members.add(member);
    return this;
  }

  get size(): number {
    return this.#members.size;
  }

  get pids(): number[] {
    return [...this.#members].map(({ pid }) => pid);
  }

  /** One of them comes home: so do all. */
  callHome(member: SetMember): void {
    for (const other of this.#members) if (other !== member) other.callHome();
  }

  /** One more has arrived: when all have, they run. */
  onArrived(): void {
    const all = [...this.#members];
    if (all.every(({ complete }) => complete)) for (const member of all) member.resume();
  }

  /** It has ended, runs at home, or is another program. */
  leave(member: SetMember): void {
    if (!this.#members.delete(member)) return;
    if (this.#members.size > 0) return this.onArrived();
    for (const descriptor of this.#made.values()) close(descriptor);
    this.#made.clear();
  }

  /** A descriptor of memory that was made away. */
  descriptor({ identity, size }: FileImage): number {
    let descriptor = this.#made.get(identity);
    if (descriptor === undefined) {
      descriptor = must(
        withCString(sharedMemoryName, (name) => kernel.call(nr.memfd_create, name, 1)),
        'memfd_create',
      );
      must(kernel.call(nr.ftruncate, descriptor, size), 'ftruncate', { size });
      this.#made.set(identity, descriptor);
    }
    return descriptor;
  }
}
