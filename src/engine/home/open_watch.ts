/** Tells when somebody opens a file: inotify(7). */
import { close, EPOLLIN } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch, withCString } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { Loop } from '../link/loop.ts';

const IN_OPEN = 0x20;
const IN_NONBLOCK_CLOEXEC = 0x80800;
const eventsAt = scratch(4096);

export class OpenWatch {
  readonly #loop: Loop;
  #descriptor = -1;
  /** Since the start of the watch. */
  opened = false;
  onOpen: () => void = () => {};

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** The file behind a descriptor of ours. */
  add(descriptor: number): void {
    if (this.#descriptor < 0) {
      this.#descriptor = must(kernel.call(nr.inotify_init1, IN_NONBLOCK_CLOEXEC), 'inotify_init1');
      this.#loop.watch(this.#descriptor, EPOLLIN, () => this.#onEvents());
    }
    const add = (path: number): number => kernel.call(nr.inotify_add_watch, this.#descriptor, path, IN_OPEN);
    must(withCString(`/proc/self/fd/${descriptor}`, add), 'inotify_add_watch');
  }

  /** Looks at once, without waiting for the loop. */
  look(): boolean {
    if (this.#descriptor >= 0 && kernel.call(nr.read, this.#descriptor, arena.address + eventsAt, 4096) > 0)
      this.opened = true;
    return this.opened;
  }

  #onEvents(): void {
    if (this.look()) this.onOpen();
  }

  close(): void {
    if (this.#descriptor < 0) return;
    this.#loop.unwatch(this.#descriptor);
    close(this.#descriptor);
    this.#descriptor = -1;
  }
}
