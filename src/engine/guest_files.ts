/** The files that a guest maps: their content comes from home or is in this node's cache already. */
import type { Range } from '../sys/remote_memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { frameType } from '../wire/frames.ts';
import type { Body } from './body.ts';
import type { BodyCall } from './body_call.ts';
import type { FileMapping } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import type { CachedFile, FileCache } from './file_cache.ts';
import type { FileImage } from './image.ts';
import { frameNumber, type Frame, type GuestLink } from './link.ts';
import { passDescriptors } from './restore.ts';

/** Home's answer to a guest that maps a file. */
export interface Mapped {
  file?: FileImage;
  failed?: number;
  comeHome?: string;
  complete?: boolean;
}

export class GuestFiles {
  readonly #cache: FileCache;
  readonly #link: GuestLink;
  readonly #files = new Map<string, CachedFile>();
  /** Calls that wait for a file's content. */
  readonly #wanted = new Map<number, { thread: BodyThread; call: BodyCall; mapping: FileMapping }>();

  constructor(cache: FileCache, link: GuestLink) {
    this.#cache = cache;
    this.#link = link;
  }

  use(image: FileImage): CachedFile {
    let file = this.#files.get(image.identity);
    if (!file) {
      file = this.#cache.use(image);
      this.#files.set(image.identity, file);
    }
    return file;
  }

  /** A child maps what its parent maps. */
  useAll(others: GuestFiles): void {
    for (const file of others.#files.values()) this.use(file.image);
  }

  /** The file behind a mapping of this host, as home knows it. */
  imageOf(inode: number): FileImage {
    const file = [...this.#files.values()].find((f) => f.inode === inode);
    return file?.image ?? { identity: `unknown ${inode}`, size: 0 };
  }

  store(frame: Frame): void {
    const { memory, offset, length } = frame;
    const file = length < 16 ? undefined : [...this.#files.values()][memory.view.getUint32(offset, true)];
    if (!file) throw new RangeError('Cannot store pages of an unknown file');
    file.store(frameNumber(frame, 8), memory.address + offset + 16, length - 16);
  }

  /** The program maps a file: home is asked which it is. */
  request(thread: BodyThread, call: BodyCall, mapping: FileMapping): void {
    this.#wanted.set(call.id, { thread, call, mapping });
    this.#link.sendJson(frameType.mapFile, { fd: mapping.fd, shared: (mapping.flags & 3) !== 2 }, call.id);
  }

  onMapped(body: Body, id: number, answer: Mapped): void {
    const entry = this.#wanted.get(id);
    if (!entry) return;
    const { thread, call, mapping } = entry;
    if (answer.comeHome || body.returning) {
      this.#wanted.delete(id);
      return body.comeHome(thread, answer.comeHome ?? 'recalled');
    }
    if (answer.failed) {
      this.#wanted.delete(id);
      return body.finish(thread, call, answer.failed);
    }
    const file = this.use(answer.file!);
    const wanted: Range[] = [{ address: mapping.offset, length: mapping.length }];
    const missing = file.missing(wanted);
    if (missing.length && !answer.complete) {
      const index = [...this.#files.values()].indexOf(file);
      return this.#link.sendJson(frameType.mapFile, { fd: mapping.fd, want: missing, index, file: answer.file }, id);
    }
    this.#wanted.delete(id);
    body.takeOver(thread, call, (session) => {
      const [fd] = passDescriptors(body.stub, session, [file]);
      const [address] = session.run([
        [nr.mmap, mapping.address, mapping.length, mapping.protection, mapping.flags, fd, mapping.offset],
        [nr.close_range, 0, 0xffffffff, 0],
      ]);
      return address;
    });
  }

  release(): void {
    for (const file of this.#files.values()) this.#cache.release(file);
  }
}
