/**
 * The home side of mapped files: which files a process maps, their contents for a hosting node that lacks them, and
 * open descriptors, so that every mapping can be made again when the process comes home.
 */
import fs from 'node:fs';
import { descriptorOf } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { livingThread, mappings, type Mapping } from '../../sys/procfs.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameHeader, frameType } from '../../wire/frames.ts';
import type { AddressSpace } from '../image/image.ts';
import { keyOfLive, liveImage, type IdentifyFile } from '../image/capture.ts';
import { StaysHome } from '../image/stays_home.ts';
import type { Progress } from '../image/departure_types.ts';
import type { FileImage } from '../image/image.ts';
import type { Frame, GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { mappedFiles, rangeKeys, type WantedFile, wantedKeys } from '../image/mapped_files.ts';
import { dataRanges } from '../image/live_files.ts';
import { fileKey } from '../image/mapping_key.ts';
import { pathOfMapped } from '../image/mapping_source.ts';
import { AttachWatch, attachedByUs } from './attach_watch.ts';
import { OpenWatch } from './open_watch.ts';
import { ReadGrants } from './read_grants.ts';
import { mappersAmong, mostLiveBytes, otherSharer } from './sole_mapper.ts';
import { MappedFiles } from './take_back.ts';

const O_RDONLY = 0;
const O_WRONLY = 1;

const answerDeadline = 30_000;
/** Bytes per frame. */
const chunk = 512 * 1024;
/** Parts of files that are remembered for the next move. */
const mostSurveyed = 4096;

/** What a hosting node asks when its guest maps a file. */
export interface FileWish {
  fd: number;
  shared?: boolean;
  /** With `file`: these parts of it are missing there. */
  want?: Range[];
  file?: FileImage;
  /** The hosting node's number for it. */
  index?: number;
}

/** Home's answer to a guest that attaches System V shared memory. */
export type AttachedSegment =
  | { comeHome: string; failed?: undefined }
  | { failed: number; comeHome?: undefined }
  | {
      comeHome?: undefined;
      failed?: undefined;
      file: FileImage;
      attached: {
        address: number;
        length: number;
        /** Nobody of those that are away together has it attached yet: these parts of it have content. */
        parts?: Range[];
      };
    };

export class FileSupply {
  readonly files = new MappedFiles();
  /** Tells when somebody opens a file that the process maps shared and writable. */
  readonly watch: OpenWatch;
  /** Tells when somebody attaches a segment of System V shared memory that the process has attached. */
  readonly attachments: AttachWatch;
  readonly #loop: Loop;
  readonly #node: string;
  readonly #pid: number;
  readonly #identify: IdentifyFile;
  /** In the order of their announcement: both sides name a file by its index. */
  readonly #known: FileImage[] = [];
  readonly #announced = new Set<string>();
  /** Single parts of files, the latest last. */
  #surveyed: WantedFile[] = [];
  readonly #reads: ReadGrants;

  constructor(options: { loop: Loop; node: string; pid: number; identify: IdentifyFile }) {
    this.#loop = options.loop;
    this.watch = new OpenWatch(options.loop);
    this.attachments = new AttachWatch(options.loop);
    this.#reads = new ReadGrants(options.loop, options.pid);
    this.#node = options.node;
    this.#pid = options.pid;
    this.#identify = options.identify;
  }

  /** A thread by which the kernel shows the process's files. */
  get #view(): number {
    return livingThread(this.#pid) ?? this.#pid;
  }

  /** For a child that was born away: it maps what its parent maps, and goes on by itself. */
  forChild(pid: number): FileSupply {
    const child = new FileSupply({ loop: this.#loop, node: this.#node, pid, identify: this.#identify });
    child.files.share(this.files);
    child.#known.push(...this.#known);
    for (const key of this.#announced) child.#announced.add(key);
    for (const identity of child.files.segments) child.attachments.add(child.files.descriptor(identity)!);
    return child;
  }

  /** For another hosting node of the same process, which knows nothing yet. */
  forAnotherNode(): FileSupply {
    const next = new FileSupply({ loop: this.#loop, node: this.#node, pid: this.#pid, identify: this.#identify });
    next.files.share(this.files);
    return next;
  }

  /**
   * What the body maps, as its hosting node says.
   * @returns with what it mapped when it was looked at before: a program that loads and drops files may map that again
   */
  withEarlier(mapped: readonly WantedFile[]): WantedFile[] {
    const ofNow = new Set(wantedKeys(mapped));
    const earlier = this.#surveyed.filter(
      (one) =>
        !wantedKeys([one]).some((key) => ofNow.has(key)) && this.files.descriptor(one.file.identity) !== undefined,
    );
    const parts = mapped.flatMap(({ file, ranges }) => ranges.map((range): WantedFile => ({ file, ranges: [range] })));
    this.#surveyed = [...earlier, ...parts].slice(-mostSurveyed);
    return [...mapped, ...earlier];
  }

  /** The files that a body maps, as its hosting node says. @throws StaysHome when home does not know one of them */
  announceMapped(files: readonly WantedFile[]): WantedFile[] {
    for (const { file } of files) {
      if (this.files.descriptor(file.identity) === undefined)
        throw new StaysHome(this.#pid, 'it maps a file that home does not know');
      this.#know(file);
    }
    return [...files];
  }

  /** The files of an address space and which parts of them are mapped; of a process that runs, those that it still maps. */
  announce(space: AddressSpace): WantedFile[] {
    this.files.rememberAll(this.#view, this.#identify, space);
    this.watchLive();
    const isHere = (file: FileImage): boolean => this.files.descriptor(file.identity) !== undefined;
    const there = space.mappings.filter((m) => m.file < 0 || isHere(space.files[m.file]));
    for (const key of rangeKeys({ ...space, mappings: there })) this.#announced.add(key);
    const wanted = mappedFiles(space).filter(({ file }) => isHere(file));
    for (const { file } of wanted) this.#know(file);
    return wanted;
  }

  watchLive(): void {
    for (const identity of this.files.live.keys()) this.watch.add(this.files.descriptor(identity)!);
    for (const identity of this.files.segments) this.attachments.add(this.files.descriptor(identity)!);
  }

  /** What the program wrote away to a file that it maps shared. @throws RangeError when it maps no such file */
  writeBack({ identity, offset, data }: { identity: string; offset: number; data: string }): void {
    const isLive = this.files.live.has(identity) || this.files.segments.has(identity);
    const descriptor = isLive ? this.files.descriptor(identity) : undefined;
    if (descriptor === undefined) throw new RangeError('Cannot write to a file that the program does not map shared');
    fs.writeSync(descriptor, Buffer.from(data, 'base64'), 0, undefined, offset);
  }

  /** What was written back reaches the disk. */
  sync(): void {
    for (const identity of this.files.live.keys()) kernel.call(nr.fdatasync, this.files.descriptor(identity) ?? -1);
  }

  /** Whether a descriptor of the process leads to a file that it maps shared and writable. */
  isLive(fd: number): boolean {
    if (this.files.live.size === 0) return false;
    try {
      const { dev, ino } = fs.statSync(`/proc/${this.#pid}/fd/${fd}`, { bigint: true });
      return [...this.files.live.values()].includes(`${dev} ${ino}`);
    } catch {
      return false;
    }
  }

  close(): void {
    this.files.free();
    this.watch.close();
    this.attachments.close();
    this.#reads.close();
  }

  /** @returns whether the frame was about files that are read ahead */
  takes(link: GuestLink, frame: Frame): boolean {
    return this.#reads.takes(link, frame, this.#view);
  }

  /** Whether all that is mapped has been announced. */
  knows(space: AddressSpace): boolean {
    return rangeKeys(space).every((key) => this.#announced.has(key));
  }

  #know(file: FileImage): void {
    if (!this.#known.some((f) => f.identity === file.identity)) this.#known.push(file);
  }

  /**
   * Sends an announcement, and then what the hosting node lacks.
   * @returns the node's ticket for whoever brings the body
   * @throws StaysHome when it refuses
   */
  async send(link: GuestLink, message: { files: WantedFile[] }, progress: Progress): Promise<string> {
    const answer = link.expect([frameType.prepared, frameType.abort], answerDeadline);
    link.sendJson(frameType.prepare, message);
    const { type, text } = await answer;
    // cast: the peer has proved the cluster's key, and missing fields fail below
    const { missing, reason, ticket } = JSON.parse(text) as { missing: Range[][]; reason?: string; ticket: string };
    if (type === frameType.abort) throw new StaysHome(this.#pid, `node ${link.peer} refused it: ${reason}`);
    const total = missing.flat().reduce((sum, r) => sum + r.length, 0);
    let sent = 0;
    for (let i = 0; i < missing.length; i++) {
      await this.#sendRanges(link, message.files[i].file, missing[i], (bytes) =>
        progress('files', (sent += bytes), total),
      );
    }
    return ticket;
  }

  async #sendRanges(
    link: GuestLink,
    file: FileImage,
    ranges: readonly Range[],
    sent: (bytes: number) => void,
    index = this.#known.findIndex((f) => f.identity === file.identity),
  ): Promise<void> {
    const fd = this.files.descriptor(file.identity);
    if (fd === undefined || index < 0) throw new StaysHome(this.#pid, 'a file that it maps cannot be opened');
    for (const range of ranges) {
      for (let done = 0; done < range.length; done += chunk) {
        await link.drained();
        const { out } = link;
        const part = Math.min(chunk, range.length - done);
        const n = kernel.call(nr.pread64, fd, out.address + frameHeader + 16, part, range.address + done);
        if (n <= 0) break; // beyond the end of the file
        out.u32[frameHeader >> 2] = index;
        out.u32[(frameHeader >> 2) + 1] = 0;
        out.write64(frameHeader + 8, range.address + done);
        link.sendFrame(frameType.filePages, 16 + n);
        sent(n);
      }
    }
  }

  /** The guest maps a file: says which it is, or sends what is missing of it. */
  onWish(link: GuestLink, id: number, wish: FileWish): void {
    if (!wish.want || !wish.file) return link.sendJson(frameType.mapped, this.#identifyDescriptor(wish), id);
    const { want, file, index } = wish;
    this.#loop.start(
      async () => {
        await this.#sendRanges(link, file, want, () => {}, index);
        link.sendJson(frameType.mapped, { file, complete: true }, id);
      },
      (error) => link.close(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** The file becomes a live one. */
  #shareDescriptor(path: string, key: string, size: number): { file: FileImage } | { comeHome: string } {
    const file = liveImage(this.#node, { key, name: fs.readlinkSync(path) }, size);
    if (this.files.live.has(file.identity)) return { file };
    if (this.#known.some(({ identity }) => identity.startsWith(`${this.#node} ${key} `)))
      return { comeHome: 'it maps a file both shared and otherwise' };
    if (size > mostLiveBytes) return { comeHome: `it maps a file of ${size >> 20} MB shared` };
    const sharer = otherSharer(this.#pid, { keys: [key], names: [fs.readlinkSync(path)] });
    if (sharer) return { comeHome: `it shares memory with process ${sharer.pid} (${sharer.name})` };
    this.files.remember(file, path);
    this.watchLive();
    this.#know(file);
    return { file };
  }

  /** The deputy has just attached it. @param company those that are away together, the process among them */
  attach(mapping: Mapping, company: readonly number[]): AttachedSegment {
    const view = this.#view;
    const length = mapping.end - mapping.start;
    if (length > mostLiveBytes) return { comeHome: `it attaches ${length >> 20} MB of System V shared memory` };
    const file = this.#identify(mapping, view, true);
    this.files.remember(file, pathOfMapped(view, mapping), mapping);
    const descriptor = this.files.descriptor(file.identity)!;
    attachedByUs(descriptor);
    this.watchLive();
    const key = fileKey(mapping, view);
    const sharer = otherSharer(this.#pid, { keys: [key], names: [], companions: company });
    if (sharer) return { comeHome: `it shares memory with process ${sharer.pid} (${sharer.name})` };
    this.#know(file);
    const attached = { address: mapping.start, length };
    const others = company.filter((other) => other !== this.#pid);
    if (mappersAmong(others, key).length > 0 || countOf(view, mapping) > 1) return { file, attached };
    const parts = dataRanges(descriptor, { start: 0, end: length, offset: 0 });
    return { file, attached: { ...attached, parts } };
  }

  /** Whether somebody else has a segment attached that these processes, which are away together, have attached as well. */
  hasStranger(descriptor: number, company: readonly number[]): boolean {
    const identity = [...this.files.segments].find((one) => this.files.descriptor(one) === descriptor);
    const key = identity && keyOfLive(identity);
    if (!key || mappersAmong(company, key).length === 0) return false;
    return otherSharer(this.#pid, { keys: [key], names: [], companions: company }) !== undefined;
  }

  #identifyDescriptor(wish: FileWish): { file: FileImage } | { comeHome: string } | { failed: number } {
    const view = this.#view;
    const path = `/proc/${view}/fd/${wish.fd}`;
    const EBADF = -9;
    const EACCES = -13;
    try {
      const stat = fs.statSync(path, { bigint: true });
      if (!stat.isFile()) return { comeHome: 'it maps something that is not a regular file' };
      const access = accessMode(view, wish.fd);
      if (access === O_WRONLY) return { failed: EACCES };
      const copy = descriptorOf(view, wish.fd);
      if (copy < 0) return { failed: EBADF };
      kernel.call(nr.close, copy);
      const device = `${(stat.dev >> 8n).toString(16).padStart(2, '0')}:${(stat.dev & 0xffn).toString(16).padStart(2, '0')}`;
      const key = `${device} ${stat.ino}`;
      if (wish.shared && access !== O_RDONLY) return this.#shareDescriptor(path, key, Number(stat.size));
      if (this.files.live.has(liveImage(this.#node, { key, name: '' }, 0).identity))
        return { comeHome: 'it maps a file both shared and otherwise' };
      const file: FileImage = {
        identity: [this.#node, key, stat.size, stat.mtimeNs, stat.ctimeNs].join(' '),
        size: Number(stat.size),
      };
      this.files.remember(file, path);
      this.#know(file);
      return { file };
    } catch (error) {
      return { failed: error instanceof Error && 'code' in error && error.code === 'ENOENT' ? EBADF : EACCES };
    }
  }
}

/** How often a process maps the file of a mapping. */
function countOf(pid: number, { device, inode, name }: Mapping): number {
  return mappings(pid).filter((m) => m.inode === inode && m.device === device && m.name === name).length;
}

/** fdinfo gives the flags in octal; O_ACCMODE is 3. */
function accessMode(pid: number, fd: number): number {
  const flags = /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '1';
  return parseInt(flags, 8) & 3;
}
