/**
 * Tells when somebody attaches System V shared memory. Nothing reports that, but to map a file is to access it, and on the
 * kernel's own tmpfs each access is noted (shmem_mmap in mm/shmem.c, atime_needs_update in fs/inode.c), except by our own
 * descriptors, which are open with O_NOATIME. So the time is looked at now and then.
 */
import fs from 'node:fs';
import type { Loop } from '../link/loop.ts';

/** Milliseconds. Until then, and until the program is home, who attaches it sees memory that may be out of date. */
const lookEvery = 50;

interface Watched {
  readonly descriptor: number;
  /** Of the segment, whatever descriptor leads to it. */
  readonly inode: string;
  accessed: bigint;
}

const watches = new Set<AttachWatch>();

function look(descriptor: number): Watched {
  const { ino, birthtimeNs, atimeNs } = fs.fstatSync(descriptor, { bigint: true });
  return { descriptor, inode: `${ino} ${birthtimeNs}`, accessed: atimeNs };
}

/** It has just been attached on behalf of a program that is away. */
export function attachedByUs(descriptor: number): void {
  const now = look(descriptor);
  for (const watch of watches) watch.accept(now);
}

export class AttachWatch {
  readonly #loop: Loop;
  #watched: Watched[] = [];
  #cancel: (() => void) | undefined;
  /** Gets a descriptor of what was attached. */
  onAttach: (descriptor: number) => void = () => {};

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** The segment behind a descriptor of ours. */
  add(descriptor: number): void {
    if (this.#watched.some((known) => known.descriptor === descriptor)) return;
    this.#watched.push(look(descriptor));
    watches.add(this);
    this.#cancel ??= this.#lookLater();
  }

  accept({ inode, accessed }: Watched): void {
    for (const known of this.#watched) if (known.inode === inode) known.accessed = accessed;
  }

  /** Descriptors of what was attached since the last look. */
  look(): number[] {
    const changed = this.#watched.filter((known) => look(known.descriptor).accessed !== known.accessed);
    for (const known of changed) known.accessed = look(known.descriptor).accessed;
    return changed.map(({ descriptor }) => descriptor);
  }

  #lookLater(): () => void {
    return this.#loop.after(lookEvery, () => {
      this.#cancel = this.#lookLater();
      for (const descriptor of this.look()) this.onAttach(descriptor);
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched = [];
    watches.delete(this);
  }
}
