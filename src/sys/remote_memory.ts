/** Memory of other processes: process_vm_readv(2), process_vm_writev(2) and /proc/PID/mem. */
import { call } from './gate.ts';
import { arena, Memory, scratch, withCString } from './memory.ts';
import { must, SystemCallError } from './errors.ts';
import { nr } from './x64/numbers.ts';

/** A run of remote bytes. */
export interface Range {
  address: number;
  length: number;
}

/** Most ranges in one call (UIO_MAXIOV). */
export const maximumRanges = 1024;
const localAt = scratch(16);
const remoteAt = scratch(16 * maximumRanges);

function transfer(nrOfCall: number, pid: number, ranges: readonly Range[], local: number): number {
  let total = 0;
  for (let i = 0; i < ranges.length; i++) {
    const { address, length } = ranges[i];
    arena.write64(remoteAt + 16 * i, address);
    arena.write64(remoteAt + 16 * i + 8, length);
    total += length;
  }
  arena.write64(localAt, local);
  arena.write64(localAt + 8, total);
  return call(nrOfCall, pid, arena.address + localAt, 1, arena.address + remoteAt, ranges.length, 0);
}

/** Reads ranges one after the other into local memory. @returns bytes read (it may be fewer), or -errno */
export function readRanges(pid: number, ranges: readonly Range[], local: number): number {
  return transfer(nr.process_vm_readv, pid, ranges, local);
}

export function writeRanges(pid: number, ranges: readonly Range[], local: number): number {
  return transfer(nr.process_vm_writev, pid, ranges, local);
}

export function readInto(pid: number, address: number, length: number, local: number): number {
  arena.write64(localAt, local);
  arena.write64(localAt + 8, length);
  arena.write64(remoteAt, address);
  arena.write64(remoteAt + 8, length);
  return call(nr.process_vm_readv, pid, arena.address + localAt, 1, arena.address + remoteAt, 1, 0);
}

export function writeFrom(pid: number, address: number, length: number, local: number): number {
  arena.write64(localAt, local);
  arena.write64(localAt + 8, length);
  arena.write64(remoteAt, address);
  arena.write64(remoteAt + 8, length);
  return call(nr.process_vm_writev, pid, arena.address + localAt, 1, arena.address + remoteAt, 1, 0);
}

const copySize = 1 << 16;
const copyAt = Memory.anonymous(copySize);

/** A copy of remote bytes, or as many of them as are readable. */
export function peek(pid: number, address: number, length: number): Uint8Array {
  if (length <= copySize) {
    const n = readInto(pid, address, length, copyAt.address);
    return copyAt.u8.slice(0, Math.max(0, n));
  }
  using large = Memory.anonymous(length);
  const n = readInto(pid, address, length, large.address);
  return large.u8.slice(0, Math.max(0, n));
}

/** Writes bytes into remote memory. @throws SystemCallError when not all of it is writable */
export function poke(pid: number, address: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const part = bytes.subarray(done, done + copySize);
    copyAt.u8.set(part);
    const n = writeFrom(pid, address + done, part.length, copyAt.address);
    if (n <= 0)
      throw new SystemCallError('process_vm_writev', n || -14, { pid, address: (address + done).toString(16) });
    done += n;
  }
}

/** /proc/PID/mem: writes also into read-only private pages (as a debugger does). */
export class ProcessMemory {
  readonly #fd: number;

  constructor(pid: number) {
    this.#fd = must(
      withCString(`/proc/${pid}/mem`, (path) => call(nr.open, path, 0o2000002)),
      'open memory',
      { pid },
    );
  }

  write(address: number, length: number, local: number): number {
    return call(nr.pwrite64, this.#fd, local, length, address);
  }

  [Symbol.dispose](): void {
    call(nr.close, this.#fd);
  }
}
