/**
 * Memory that is shared and writable. Its content travels with the process like private memory, and while the process is
 * away it is in memfds of the hosting node; what changes there is written back to the file at home.
 * See docs/internals/sharing.md.
 */
import fs from 'node:fs';
import { close, openPath } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { withCString } from '../../sys/memory.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { MappableFile } from './mappable_file.ts';
import type { FileImage } from './image.ts';

const pageSize = 4096;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Device and inode of an open file. */
export function identityOf(descriptor: number): string {
  const { dev, ino } = fs.fstatSync(descriptor, { bigint: true });
  return `${dev} ${ino}`;
}

/**
 * The parts of a file mapping behind which the file has content, as addresses.
 * @param file a descriptor, or a path that opens it
 */
export function dataRanges(file: number | string, m: { start: number; end: number; offset: number }): Range[] {
  const fd = typeof file === 'number' ? file : openPath(file, 0);
  try {
    const size = Math.ceil(fs.fstatSync(fd).size / pageSize) * pageSize;
    const end = Math.min(size, m.offset + m.end - m.start);
    const out: Range[] = [];
    for (let at = m.offset; at < end;) {
      const data = kernel.call(nr.lseek, fd, at, SEEK_DATA);
      if (data === -6 /* ENXIO: only a hole */) break;
      // Not every file system knows its holes.
      const from = data < 0 ? at : Math.max(at, data - (data % pageSize));
      const hole = data < 0 ? end : kernel.call(nr.lseek, fd, data, SEEK_HOLE);
      const to = Math.min(end, hole < 0 ? end : Math.ceil(hole / pageSize) * pageSize);
      if (to > from) out.push({ address: m.start + from - m.offset, length: to - from });
      at = Math.max(to, at + pageSize);
    }
    return out;
  } finally {
    if (fd !== file) close(fd);
  }
}

/** What memory that members of a set share is called where we made it (memfd_create(2)). */
export const sharedMemoryName = 'mosix-shared';

/** Whether a name in /proc/PID/maps is that of shared memory that no path opens: anonymous, or ours (proc(5)). */
export function isUnnamedMemory(name: string): boolean {
  return name === '/dev/zero (deleted)' || name === `/memfd:${sharedMemoryName} (deleted)`;
}

/** A part of a live file that has changed. */
export interface Change {
  offset: number;
  bytes: Buffer;
}

/** One live file of a guest and of those that it forked, on the hosting node. */
export class LiveFile implements MappableFile {
  readonly image: FileImage;
  readonly inode: number;
  readonly mapDescriptor: number;
  readonly readDescriptor: number;
  readonly #have: Uint8Array;
  /** As home has it. */
  #known: Buffer | undefined;
  #spare: Buffer | undefined;
  #users = 1;

  constructor(image: FileImage) {
    this.image = image;
    this.mapDescriptor = must(
      withCString('mosix-live', (name) => kernel.call(nr.memfd_create, name, 1)),
      'memfd_create',
    );
    must(kernel.call(nr.ftruncate, this.mapDescriptor, image.size), 'ftruncate', { size: image.size });
    this.readDescriptor = openPath(`/proc/self/fd/${this.mapDescriptor}`, 0);
    this.inode = fs.fstatSync(this.mapDescriptor).ino;
    this.#have = new Uint8Array(Math.ceil(image.size / pageSize));
  }

  missing(wanted: readonly Range[]): Range[] {
    const out: Range[] = [];
    for (const { address, length } of wanted) {
      const end = Math.min(this.#have.length, Math.ceil((address + length) / pageSize));
      for (let page = Math.floor(address / pageSize); page < end; page++) {
        if (this.#have[page]) continue;
        const last = out.at(-1);
        if (last && last.address + last.length === page * pageSize) last.length += pageSize;
        else out.push({ address: page * pageSize, length: pageSize });
      }
    }
    return out;
  }

  store(offset: number, local: number, length: number): void {
    const end = Math.min(offset + length, this.image.size);
    if (offset % pageSize !== 0 || offset >= end) return;
    // What came before, for somebody else who wanted it, may have been changed since.
    for (let at = offset; at < end; at += pageSize) {
      if (this.#have[at / pageSize]) continue;
      const part = Math.min(pageSize, end - at);
      must(kernel.call(nr.pwrite64, this.mapDescriptor, local + at - offset, part, at), 'pwrite', { offset: at });
      this.#have[at / pageSize] = 1;
      if (this.#known) fs.readSync(this.mapDescriptor, this.#known, at, part, at);
    }
  }

  /** Nobody here has it mapped, and home knows it better: all of it is empty but these parts, which are missing. */
  renew(parts: readonly Range[]): void {
    must(kernel.call(nr.ftruncate, this.mapDescriptor, 0), 'ftruncate');
    must(kernel.call(nr.ftruncate, this.mapDescriptor, this.image.size), 'ftruncate', { size: this.image.size });
    this.#known = undefined;
    this.#have.fill(1);
    for (const { address, length } of parts)
      this.#have.fill(0, Math.floor(address / pageSize), Math.ceil((address + length) / pageSize));
  }

  /** All of it is here, as home has it: from now on changes count. */
  settle(): void {
    this.#have.fill(1);
    this.watch();
  }

  /** From now on changes count, if there is a file to write them to. */
  watch(): void {
    if (this.image.live === 'file') this.#known ??= this.#read(Buffer.alloc(this.image.size));
  }

  #read(bytes: Buffer): Buffer {
    for (let at = 0; at < bytes.length;) {
      const n = fs.readSync(this.mapDescriptor, bytes, at, bytes.length - at, at);
      if (n === 0) break;
      at += n;
    }
    return bytes;
  }

  /** What has changed since the last look; valid until the next. */
  changes(): Change[] {
    const known = this.#known;
    if (!known) return [];
    const now = this.#read((this.#spare ??= Buffer.alloc(this.image.size)));
    const out: Change[] = [];
    if (now.equals(known)) return out;
    for (let at = 0; at < now.length; at += pageSize) {
      const end = Math.min(at + pageSize, now.length);
      if (now.compare(known, at, end, at, end) === 0) continue;
      out.push({ offset: at, bytes: now.subarray(at, end) });
    }
    this.#known = now;
    this.#spare = known;
    return out;
  }

  /** A guest more has it. */
  share(): this {
    this.#users++;
    return this;
  }

  /** A guest less has it. @returns whether that was the last one */
  free(): boolean {
    if (--this.#users > 0) return false;
    close(this.mapDescriptor);
    close(this.readDescriptor);
    return true;
  }
}
