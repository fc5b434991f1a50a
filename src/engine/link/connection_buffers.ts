/**
 * The memory that connections send from and receive into. It is used again: memory that is touched for the first time
 * costs a page fault for every 4 KiB, and that while a program stands still.
 */
import { kernel } from '../../sys/kernel.ts';
import { Memory } from '../../sys/memory.ts';
import { pageSize } from '../../sys/pagemap.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameHeader, maximumFrame } from '../../wire/frames.ts';

export interface ConnectionBuffers {
  readonly out: Memory;
  readonly in: Memory;
}

/** Pairs that wait for a connection. More: more connections at a time are spared the faults; each keeps its resident bytes. */
const maximumIdle = 2;
/** Bytes of each buffer that stay in memory meanwhile: more than a small program has. */
const residentBytes = 2 << 20;
const MADV_DONTNEED = 4;
const idle: ConnectionBuffers[] = [];

export function takeBuffers(): ConnectionBuffers {
  const size = maximumFrame + frameHeader;
  return idle.pop() ?? { out: Memory.anonymous(size), in: Memory.anonymous(2 * size) };
}

/** @param used how many bytes of each have been sent or received; the next connection sees none of what was written */
export function returnBuffers(buffers: ConnectionBuffers, used: { out: number; in: number }): void {
  if (idle.length >= maximumIdle) {
    buffers.out.free();
    buffers.in.free();
    return;
  }
  clear(buffers.out, used.out);
  clear(buffers.in, used.in);
  idle.push(buffers);
}

function clear(memory: Memory, used: number): void {
  const kept = Math.min(Math.ceil(used / pageSize) * pageSize, residentBytes);
  memory.u8.fill(0, 0, kept);
  kernel.call(nr.madvise, memory.address + kept, memory.size - kept, MADV_DONTNEED);
}
