/**
 * The home side of mapped files: which files a process maps, their contents for a hosting node that lacks them, and
 * open descriptors, so that every mapping can be made again when the process comes home.
 */
import fs from 'node:fs';
import { descriptorOf } from '../sys/descriptors.ts';
import { kernel } from '../sys/kernel.ts';
import type { Range } from '../sys/remote_memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { frameHeader, frameType } from '../wire/frames.ts';
import { StaysHome, type AddressSpace, type IdentifyFile } from './capture.ts';
import type { Progress } from './departure_types.ts';
import type { FileImage } from './image.ts';
import type { GuestLink } from './link.ts';
import type { Loop } from './loop.ts';
import { MappedFiles } from './take_back.ts';

const answerDeadline = 30_000;
/** Bytes per frame. */
const chunk = 512 * 1024;

export interface WantedFile {
  file: FileImage;
  ranges: Range[];
}

/** What a hosting node asks when its guest maps a file. */
export interface FileWish {
  fd: number;
  shared?: boolean;
  /** With `file`: these parts of it are missing there. */
  want?: Range[];
  file?: FileImage;
}

export class FileSupply {
  readonly files = new MappedFiles();
  readonly #loop: Loop;
  readonly #node: string;
  readonly #pid: number;
  readonly #identify: IdentifyFile;
  /** In the order of their announcement: both sides name a file by its index. */
  readonly #known: FileImage[] = [];
  readonly #announced = new Set<string>();

  constructor(options: { loop: Loop; node: string; pid: number; identify: IdentifyFile }) {
    this.#loop = options.loop;
    this.#node = options.node;
    this.#pid = options.pid;
    this.#identify = options.identify;
  }

  /** For a child that was born away: it maps what its parent maps, and goes on by itself. */
  forChild(pid: number): FileSupply {
    const child = new FileSupply({ loop: this.#loop, node: this.#node, pid, identify: this.#identify });
    child.files.share(this.files);
    child.#known.push(...this.#known);
    for (const key of this.#announced) child.#announced.add(key);
    return child;
  }

  /** For another hosting node of the same process, which knows nothing yet. */
  forAnotherNode(): FileSupply {
    const next = new FileSupply({ loop: this.#loop, node: this.#node, pid: this.#pid, identify: this.#identify });
    next.files.share(this.files);
    return next;
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

  /** The files of an address space and which parts of them are mapped. */
  announce(space: AddressSpace): WantedFile[] {
    this.files.rememberAll(this.#pid, this.#identify, space);
    for (const key of rangeKeys(space)) this.#announced.add(key);
    for (const file of space.files) this.#know(file);
    return mappedFiles(space);
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
  ): Promise<void> {
    const fd = this.files.descriptor(file.identity);
    const index = this.#known.findIndex((f) => f.identity === file.identity);
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
    const { want, file } = wish;
    this.#loop.start(
      async () => {
        await this.#sendRanges(link, file, want, () => {});
        link.sendJson(frameType.mapped, { file, complete: true }, id);
      },
      (error) => link.close(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #identifyDescriptor(wish: FileWish): { file: FileImage } | { comeHome: string } | { failed: number } {
    const path = `/proc/${this.#pid}/fd/${wish.fd}`;
    const EBADF = -9;
    const EACCES = -13;
    try {
      const stat = fs.statSync(path, { bigint: true });
      if (!stat.isFile()) return { comeHome: 'it maps something that is not a regular file' };
      if (wish.shared && !openedReadOnly(this.#pid, wish.fd)) return { comeHome: 'it maps a writable file shared' };
      const copy = descriptorOf(this.#pid, wish.fd);
      if (copy < 0) return { failed: EBADF };
      kernel.call(nr.close, copy);
      const device = `${(stat.dev >> 8n).toString(16).padStart(2, '0')}:${(stat.dev & 0xffn).toString(16).padStart(2, '0')}`;
      const file: FileImage = {
        identity: [this.#node, `${device} ${stat.ino}`, stat.size, stat.mtimeNs, stat.ctimeNs].join(' '),
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

/** The files of an address space and which parts of them are mapped. */
export function mappedFiles(space: AddressSpace): WantedFile[] {
  return space.files.map((file, index) => {
    const mapped = space.mappings.filter((m) => m.file === index);
    return { file, ranges: mapped.map((m) => ({ address: m.offset, length: m.end - m.start })) };
  });
}

export function rangeKeys(space: AddressSpace): string[] {
  return space.mappings
    .filter((m) => m.file >= 0)
    .map((m) => `${space.files[m.file].identity} ${m.offset} ${m.end - m.start}`);
}

/** fdinfo gives the flags in octal; O_ACCMODE is 3. */
function openedReadOnly(pid: number, fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '1';
  return (parseInt(flags, 8) & 3) === 0;
}
