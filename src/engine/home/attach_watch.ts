/**
 * Tells when somebody attaches System V shared memory. Nothing reports that, but to map a file is to access it, and on the
 * kernel's own tmpfs each access is noted (shmem_mmap in mm/shmem.c, atime_needs_update in fs/inode.c), except by our own
 * descriptors, which are open with O_NOATIME. So the time is looked at now and then.
 */
import fs from 'node:fs';
import type { Loop } from '../link/loop.ts';

/** Milliseconds. Until then, and until the program is home, who attaches it sees memory that may be out of date. */
const lookEvery = 50;

interface Access {
  /** Of the segment, whatever descriptor leads to it. */
  readonly inode: string;
  time: bigint;
}

interface Watched extends Access {
  readonly descriptor: number;
  /**
   * It is to be told at the next look in any case: the time is that of a clock of some milliseconds, and it is noted just
   * before others see the mapping.
   */
  again: boolean;
}

const watches = new Set<AttachWatch>();

function lastAccess(descriptor: number): Access {
  const { ino, birthtimeNs, atimeNs } = fs.fstatSync(descriptor, { bigint: true });
  return { inode: `${ino} ${birthtimeNs}`, time: atimeNs };
}

/** It has just been attached on behalf of a program that is away. */
export function attachedByUs(descriptor: number): void {
  const now = lastAccess(descriptor);
  for (const watch of watches) watch.accept(now);
}

export class AttachWatch {
  readonly #loop: Loop;
  #watched: Watched[] = [];
  #cancel: (() => void) | undefined;
  #listener: ((descriptor: number) => void) | undefined;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** The segment behind a descriptor of ours. */
  add(descriptor: number): void {
    if (this.#watched.some((known) => known.descriptor === descriptor)) return;
    this.#watched.push({ descriptor, ...lastAccess(descriptor), again: true });
    watches.add(this);
    this.#cancel ??= this.#lookLater();
  }

  accept({ inode, time }: Access): void {
    for (const known of this.#watched) if (known.inode === inode) Object.assign(known, { time, again: true });
  }

  /** The listener gets a descriptor of what may have been attached since the start of the watch, and of what is from now on. */
  listen(listener: (descriptor: number) => void): void {
    this.#listener = listener;
  }

  /** Whether something was attached since the start of the watch, or since its listener was told. */
  look(): boolean {
    return this.#watched.some((known) => lastAccess(known.descriptor).time !== known.time);
  }

  #tell(listener: (descriptor: number) => void): void {
    for (const known of [...this.#watched]) {
      const { time } = lastAccess(known.descriptor);
      const changed = time !== known.time;
      if (!changed && !known.again) continue;
      Object.assign(known, { time, again: changed });
      listener(known.descriptor);
    }
  }

  #lookLater(): () => void {
    return this.#loop.after(lookEvery, () => {
      this.#cancel = this.#lookLater();
      if (this.#listener) this.#tell(this.#listener);
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched = [];
    watches.delete(this);
  }
}
