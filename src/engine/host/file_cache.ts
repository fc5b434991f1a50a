/**
 * Contents of files that guests map, page by page, in memfds of the hosting node. A body maps the memfd where it mapped
 * the file at home: clean pages are shared by all guests and need not travel again, written ones are private as ever.
 */
import fs from 'node:fs';
import { close, openPath } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { withCString } from '../../sys/memory.ts';
import { pageSize } from '../../sys/pagemap.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { FileImage } from '../image/image.ts';
import type { MappableFile } from '../image/mappable_file.ts';

/** Bytes of file contents kept; unused files go first. Larger saves transfers, smaller saves memory. */
const defaultLimit = 1 << 30;
/** Files kept: each has two descriptors of the engine. */
const defaultMostFiles = 200;

export class CachedFile implements MappableFile {
  readonly image: FileImage;
  readonly inode: number;
  /** Read-only. */
  readonly mapDescriptor: number;
  readonly #descriptor: number;
  readonly #have: Uint8Array;
  #pages = 0;
  users = 0;

  constructor(image: FileImage) {
    this.image = image;
    this.#descriptor = must(
      withCString('mosix-file', (name) => kernel.call(nr.memfd_create, name, 1)),
      'memfd_create',
    );
    must(kernel.call(nr.ftruncate, this.#descriptor, image.size), 'ftruncate', { size: image.size });
    this.mapDescriptor = openPath(`/proc/self/fd/${this.#descriptor}`, 0);
    this.inode = fs.fstatSync(this.#descriptor).ino;
    this.#have = new Uint8Array(Math.ceil(image.size / pageSize));
  }

  get readDescriptor(): number {
    return this.mapDescriptor;
  }

  get bytes(): number {
    return this.#pages * pageSize;
  }

  missing(wanted: readonly Range[]): Range[] {
    const out: Range[] = [];
    for (const { address, length } of wanted) {
      const end = Math.min(this.#have.length, Math.ceil((address + length) / pageSize));
      for (let page = Math.floor(address / pageSize); page < end; page++) {
        if (this.#have[page]) continue;
        const last = out[out.length - 1];
        if (last && last.address + last.length === page * pageSize) last.length += pageSize;
        else out.push({ address: page * pageSize, length: pageSize });
      }
    }
    return out;
  }

  store(offset: number, local: number, length: number): void {
    const end = Math.min(offset + length, this.image.size);
    if (offset % pageSize !== 0 || offset >= end) return;
    must(kernel.call(nr.pwrite64, this.#descriptor, local, end - offset, offset), 'pwrite', { offset, length });
    for (let page = offset / pageSize; page * pageSize < end; page++) {
      if (!this.#have[page]) this.#pages++;
      this.#have[page] = 1;
    }
  }

  free(): void {
    close(this.#descriptor);
    close(this.mapDescriptor);
  }
}

export class FileCache {
  readonly #files = new Map<string, CachedFile>();
  readonly #limit: number;
  readonly #mostFiles: number;

  constructor(limit = defaultLimit, mostFiles = defaultMostFiles) {
    this.#limit = limit;
    this.#mostFiles = mostFiles;
  }

  get size(): number {
    return this.#files.size;
  }

  /** The file, with one more user. */
  use(image: FileImage): CachedFile {
    let file = this.#files.get(image.identity);
    this.#files.delete(image.identity);
    file ??= new CachedFile(image);
    this.#files.set(image.identity, file); // most recently used last
    file.users++;
    return file;
  }

  release(file: CachedFile): void {
    file.users--;
    let total = [...this.#files.values()].reduce((sum, f) => sum + f.bytes, 0);
    for (const candidate of this.#files.values()) {
      if (total <= this.#limit && this.#files.size <= this.#mostFiles) return;
      if (candidate.users > 0) continue;
      total -= candidate.bytes;
      this.#files.delete(candidate.image.identity);
      candidate.free();
    }
  }
}
