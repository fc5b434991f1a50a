/** The files that a guest maps: their content comes from home or is in this node's cache already. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../sys/memory.ts';
import { mappings, type Mapping } from '../../sys/procfs.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType } from '../../wire/frames.ts';
import type { Body } from './body.ts';
import type { BodyCall } from './body_call.ts';
import type { FileMapping, SegmentWish } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { pathIfAny } from '../image/mapping_source.ts';
import { CachedFile, type FileCache } from './file_cache.ts';
import type { MappableFile } from '../image/mappable_file.ts';
import type { FileImage } from '../image/image.ts';
import { LiveFile } from '../image/live_files.ts';
import { frameNumber, type Frame, type GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { passDescriptors } from '../image/restore.ts';

/** Looks for changes in live files cost at most one part in so many of the program's time. */
const lookShare = 10;
/** Unless a look takes less than this, milliseconds. */
const cheapLook = 0.1;
/** How old a file at home may be whose changes nobody was told of. */
const writeBackMilliseconds = 1000;
const SHM_RDONLY = 0o10000;
const SHM_EXEC = 0o100000;

/** Tells the memory that was made here from what was made on another node: all of it may be known to one home. */
const here = randomBytes(6).toString('hex');

/** Home's answer to a guest that maps a file. */
export interface Mapped {
  file?: FileImage;
  failed?: number;
  comeHome?: string;
  complete?: boolean;
  /** Where home has attached a segment, and, if nobody here has, which parts of it have content. */
  attached?: { address: number; length: number; parts?: Range[] };
}

/** A call that waits for a file. */
interface Wanted {
  readonly thread: BodyThread;
  readonly call: BodyCall;
  mapping: FileMapping;
  /** Of a segment: where home has attached it. */
  attachedAt?: number;
}

export class GuestFiles {
  readonly #loop: Loop;
  readonly #cache: FileCache;
  readonly #group: Map<string, LiveFile>;
  readonly #link: GuestLink;
  readonly #files = new Map<string, MappableFile>();
  #live: LiveFile[] = [];
  #nextLook = 0;
  #cancel: (() => void) | undefined;
  #sharesMemory = false;
  #still = false;
  /** Calls that wait for a file's content. */
  readonly #wanted = new Map<number, Wanted>();

  /** @param group live files of this guest and of those that share memory with it, by identity */
  constructor(cache: FileCache, link: GuestLink, loop: Loop, group: Map<string, LiveFile> = new Map()) {
    this.#group = group;
    this.#loop = loop;
    this.#cache = cache;
    this.#link = link;
  }

  use(image: FileImage): MappableFile {
    let file = this.#files.get(image.identity);
    if (!file) {
      if (image.live) return this.#addLive(image);
      file = this.#cache.use(image);
      this.#files.set(image.identity, file);
    }
    return file;
  }

  #addLive(image: FileImage): LiveFile {
    const { identity } = image;
    const file = this.#group.get(identity)?.share() ?? new LiveFile(image);
    this.#group.set(identity, file);
    this.#files.set(identity, file);
    if (this.#live.push(file) === 1) this.#writeBackLater();
    this.#sharesMemory = true;
    return file;
  }

  /** Memory is mapped that a child would share. */
  get sharesMemory(): boolean {
    return this.#sharesMemory;
  }

  /** The program has mapped anonymous memory shared. */
  noteSharedMemory(): void {
    this.#sharesMemory = true;
  }

  /** All that the image brought is here. */
  settle(): void {
    for (const file of this.#live) file.settle();
  }

  /** The body stands still, and its content travels: from now on what is here may be older than what home has. */
  set still(still: boolean) {
    this.#still = still;
  }

  #writeBackLater(): void {
    this.#cancel = this.#loop.after(writeBackMilliseconds, () => {
      this.writeBack(true);
      this.#writeBackLater();
    });
  }

  /**
   * Home gets what has changed in files that are mapped shared and writable. Who at home could look at them learns that
   * only by a call, so this comes before each of them; with much to compare, no more often than it costs little.
   * @param wanted of which files; by default, of all
   */
  writeBack(always = false, wanted: (file: FileImage) => boolean = () => true): void {
    if (this.#live.length === 0 || this.#still) return;
    const began = performance.now();
    if (!always && began < this.#nextLook) return;
    for (const file of this.#live) {
      if (!wanted(file.image)) continue;
      const { identity } = file.image;
      for (const { offset, bytes: data } of file.changes())
        this.#link.sendJson(frameType.writeBack, { identity, offset, data: data.toString('base64') });
    }
    const now = performance.now();
    const cost = now - began;
    this.#nextLook = cost < cheapLook ? 0 : now + cost * lookShare;
  }

  /** For a guest that shares memory with this one. */
  forCompanion(link: GuestLink): GuestFiles {
    return new GuestFiles(this.#cache, link, this.#loop, this.#group);
  }

  /** A child maps what its parent maps. */
  useAll(others: GuestFiles): void {
    for (const file of others.#files.values()) this.use(file.image);
    this.#sharesMemory = others.#sharesMemory;
  }

  /** The file behind a mapping of this host, as home knows it. */
  imageOf(mapping: Mapping, pid: number, live: boolean): FileImage {
    const file = [...this.#files.values()].find((f) => f.inode === mapping.inode);
    if (file || !live) return file?.image ?? { identity: `unknown ${mapping.inode}`, size: 0 };
    // Shared anonymous memory that the program made here.
    return { identity: `made away ${here} ${mapping.inode}`, size: sizeOfMemory(pid, mapping), live: 'memory' };
  }

  /** Of a live file. */
  descriptor(identity: string): number | undefined {
    return this.#live.find(({ image }) => image.identity === identity)?.mapDescriptor;
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

  segmentSize(inode: number): number | undefined {
    return this.#live.find((file) => file.inode === inode && file.image.segment)?.image.size;
  }

  attach(thread: BodyThread, call: BodyCall, wish: SegmentWish): void {
    const [readOnly, executable] = [(wish.flags & SHM_RDONLY) !== 0, (wish.flags & SHM_EXEC) !== 0];
    const protection = PROT_READ | (readOnly ? 0 : PROT_WRITE) | (executable ? PROT_EXEC : 0);
    const mapping = { address: 0, length: 0, protection, flags: MAP_SHARED, fd: -1, offset: 0 };
    this.#wanted.set(call.id, { thread, call, mapping });
    this.#link.sendJson(frameType.attachSegment, { ...wish, tid: thread.tid }, call.id);
  }

  /** Home has attached it. */
  #onAttached(entry: Wanted, file: MappableFile, { address, length, parts }: NonNullable<Mapped['attached']>): void {
    entry.mapping = { ...entry.mapping, address, length };
    entry.attachedAt = address;
    if (parts && file instanceof LiveFile) file.renew(parts);
  }

  /** It is somewhere else, or, at 0, nowhere. */
  #moveAttached({ thread, mapping, attachedAt }: Wanted, to: number): void {
    if (attachedAt === undefined || attachedAt === to) return;
    const { length } = mapping;
    this.#link.sendJson(frameType.moveSegment, { tid: thread.tid, from: attachedAt, to: Math.max(0, to), length });
  }

  onMapped(body: Body, id: number, answer: Mapped): void {
    const entry = this.#wanted.get(id);
    if (!entry) return;
    const { thread, call } = entry;
    if (answer.comeHome || body.returning) {
      this.#wanted.delete(id);
      entry.attachedAt ??= answer.attached?.address;
      this.#moveAttached(entry, 0);
      return body.comeHome(thread, answer.comeHome ?? 'recalled');
    }
    if (answer.failed) {
      this.#wanted.delete(id);
      return body.finish(thread, call, answer.failed);
    }
    const file = this.use(answer.file!);
    if (answer.attached) this.#onAttached(entry, file, answer.attached);
    const { mapping } = entry;
    const wanted: Range[] = [{ address: mapping.offset, length: mapping.length }];
    const missing = file.missing(wanted);
    if (missing.length && !answer.complete) {
      const index = [...this.#files.values()].indexOf(file);
      return this.#link.sendJson(frameType.mapFile, { fd: mapping.fd, want: missing, index, file: answer.file }, id);
    }
    this.#wanted.delete(id);
    if (file instanceof LiveFile) file.watch();
    body.takeOver(thread, call, (session) => {
      const writable = entry.attachedAt === undefined || (mapping.protection & PROT_WRITE) !== 0;
      const descriptor = writable ? file.mapDescriptor : file.readDescriptor;
      const [fd] = passDescriptors(body.stub, session, [{ mapDescriptor: descriptor }]);
      const [address] = session.run([
        [nr.mmap, mapping.address, mapping.length, mapping.protection, mapping.flags, fd, mapping.offset],
        [nr.close_range, 0, 0xffffffff, 0],
      ]);
      this.#moveAttached(entry, address);
      return address;
    });
  }

  release(): void {
    this.#cancel?.();
    for (const file of this.#files.values()) if (file instanceof CachedFile) this.#cache.release(file);
    for (const file of this.#live.splice(0)) if (file.free()) this.#group.delete(file.image.identity);
  }
}

/** As far as it is mapped, where nothing else tells. */
function sizeOfMemory(pid: number, mapping: Mapping): number {
  const path = pathIfAny(pid, mapping);
  if (path !== undefined) return fs.statSync(path).size;
  const all = mappings(pid).filter(({ device, inode }) => device === mapping.device && inode === mapping.inode);
  return Math.max(...all.map((m) => m.offset + m.end - m.start));
}
