/**
 * Pinned memory of this process: mapped regions that never move and are never collected, with typed views.
 * Offsets are bytes from the region's start.
 */
import { call, viewOf } from './gate.ts';
import { SystemCallError } from './errors.ts';
import { nr } from './x64/numbers.ts';

const two32 = 4294967296;

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_GROWSDOWN = 0x100;
export const MAP_NORESERVE = 0x4000;
export const MAP_FIXED_NOREPLACE = 0x100000;

/** A mapped region of our own address space. */
export class Memory {
  readonly address: number;
  readonly size: number;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;
  readonly buffer: Buffer;

  readonly #mapped: number;

  /** @param mapped bytes that `free` unmaps, when the views cover only the first part of a mapping */
  constructor(address: number, size: number, mapped = size) {
    this.address = address;
    this.size = size;
    this.#mapped = mapped;
    const bytes = viewOf(address, size);
    this.u8 = new Uint8Array(bytes);
    this.u32 = new Uint32Array(bytes, 0, size >> 2);
    this.i32 = new Int32Array(bytes, 0, size >> 2);
    this.u64 = new BigUint64Array(bytes, 0, size >> 3);
    this.view = new DataView(bytes);
    this.buffer = Buffer.from(bytes);
  }

  static anonymous(size: number): Memory {
    return new Memory(map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1), size);
  }

  /** Maps `mapped` bytes of a file. V8 counts what views cover towards its next collection: large parts get none. */
  static shared(fd: number, size: number, mapped = size): Memory {
    return new Memory(map(mapped, MAP_SHARED, fd), size, mapped);
  }

  /** Reads an unsigned 64-bit number below 2^53. */
  read64(offset: number): number {
    return this.u32[offset >> 2] + this.u32[(offset >> 2) + 1] * two32;
  }

  write64(offset: number, value: number): void {
    this.u32[offset >> 2] = value >>> 0;
    this.u32[(offset >> 2) + 1] = Math.floor(value / two32) >>> 0;
  }

  /** Unmaps the region; its views must not be used any more. */
  free(): void {
    call(nr.munmap, this.address, this.#mapped);
  }

  [Symbol.dispose](): void {
    this.free();
  }
}

function map(size: number, flags: number, fd: number): number {
  const address = call(nr.mmap, 0, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (address < 0) throw new SystemCallError('mmap', address, { size, fd });
  return address;
}

/** This thread's scratch memory for call arguments; `scratch(n)` hands out fixed places that are never given back. */
export const arena = Memory.anonymous(1 << 20);
let used = 0;

/** @returns the offset in `arena` of `bytes` fresh bytes, 64-byte aligned */
export function scratch(bytes: number): number {
  const offset = used;
  used += (bytes + 63) & ~63;
  if (used > arena.size) throw new Error('Cannot reserve scratch memory: the arena is used up');
  return offset;
}

/** Runs `body` with a C string in the arena. */
export function withCString<T>(text: string, body: (address: number) => T): T {
  const bytes = Buffer.from(text + '\0', 'latin1');
  const saved = used;
  const offset = scratch(bytes.length);
  arena.u8.set(bytes, offset);
  try {
    return body(arena.address + offset);
  } finally {
    used = saved;
  }
}
