/**
 * What is mapped at an address of another process: the ioctl PROCMAP_QUERY on /proc/PID/maps (Linux 6.11), which takes a
 * microsecond where reading the whole list takes a hundred.
 */
import { call } from './gate.ts';
import { scratch, arena, withCString } from './memory.ts';
import { nr } from './x64/numbers.ts';

/** _IOWR('f', 17, struct procmap_query) */
const PROCMAP_QUERY = 0xc0686611;
const querySize = 104;
const offsets = { size: 0, flags: 8, address: 16, foundEnd: 32, foundFlags: 40 } as const;
const VMA_WRITABLE = 2;
const ENOENT = -2;

const queryAt = scratch(querySize);

export class MappingQuery implements Disposable {
  #fd: number;
  /** The kernel has the ioctl, as far as is known. */
  #known = true;

  constructor(pid: number) {
    this.#fd = withCString(`/proc/${pid}/maps`, (path) => call(nr.open, path, 0o2000000));
  }

  /** How much of a range the process may write; undefined where the kernel cannot be asked. */
  writable(address: number, length: number): 'all' | 'part' | 'none' | undefined {
    let at = address;
    while (at < address + length) {
      const end = this.#writableUpTo(at);
      if (end === undefined) return undefined;
      if (end === at) return at === address ? 'none' : 'part';
      at = end;
    }
    return 'all';
  }

  /** Where the mapping at `address` ends if it may be written, else `address` itself. */
  #writableUpTo(address: number): number | undefined {
    if (!this.#known || this.#fd < 0) return undefined;
    arena.u8.fill(0, queryAt, queryAt + querySize);
    arena.write64(queryAt + offsets.size, querySize);
    arena.write64(queryAt + offsets.address, address);
    const result = call(nr.ioctl, this.#fd, PROCMAP_QUERY, arena.address + queryAt);
    if (result === ENOENT) return address;
    if (result === 0) {
      const writable = (arena.read64(queryAt + offsets.foundFlags) & VMA_WRITABLE) !== 0;
      return writable ? arena.read64(queryAt + offsets.foundEnd) : address;
    }
    this.#known = false;
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) call(nr.close, this.#fd);
    this.#fd = -1;
  }
}
