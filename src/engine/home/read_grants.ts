/**
 * Leave to read ahead: a hosting node may answer reads of a file itself, from parts that home sends in advance, as long as
 * nobody can tell the difference. Two things are vouched for here (docs/internals/read_ahead.md):
 *
 * - The file does not change: a read lease (fcntl(2), F_SETLEASE) is only given while nobody has it open for writing, and
 *   whoever wants to open it so has to wait until we have given the lease back.
 * - The position is the program's alone: no other descriptor, here or in another process, leads to the same open file.
 */
import fs from 'node:fs';
import { close, descriptorOf, openPath } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameHeader, frameType } from '../../wire/frames.ts';
import { readUnit, type ReadWish } from '../image/read_ahead_messages.ts';
import { frameJson, type Frame, type GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';

/** Milliseconds between two looks whether somebody waits for a lease. Smaller: shorter waits; larger: less work. */
const lookEvery = 10;

const F_GETFL = 3;
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_RDLCK = 0;
const SIGCHLD = 17;
const KCMP_FILE = 0;
const ESRCH = -3;
const EBADF = -9;
const O_NONBLOCK = 0o4000;
/** Open for reading, and neither O_DIRECT nor O_PATH. */
const wrongFlags = 0o3 | 0o40000 | 0o10000000;

/** File systems whose files change by being written only (linux/magic.h): ext4, XFS, Btrfs, tmpfs, overlay, F2FS. */
const ordinary: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010]);

interface Grant {
  readonly link: GuestLink;
  /** The program's open file, whose position is set when the hosting node gives it back. */
  readonly shared: number;
  /** Ours, with the lease. */
  readonly own: number;
  readonly size: number;
  breaking: boolean;
}

export class ReadGrants {
  readonly #loop: Loop;
  readonly #pid: number;
  readonly #grants = new Map<number, Grant>();
  #cancel: (() => void) | undefined;

  constructor(loop: Loop, pid: number) {
    this.#loop = loop;
    this.#pid = pid;
  }

  /** @param view a living thread of the process @returns whether the frame was for it */
  takes(link: GuestLink, frame: Frame, view: number): boolean {
    switch (frame.type) {
      case frameType.readAhead:
        this.#open(link, frameJson(frame), view);
        return true;
      case frameType.readMore: {
        const { grant, offset } = frameJson<{ grant: number; offset: number }>(frame);
        this.#send(grant, offset);
        return true;
      }
      case frameType.readAt:
      case frameType.readEnd: {
        const { grant, position } = frameJson<{ grant: number; position?: number }>(frame);
        this.#setPosition(grant, position);
        if (frame.type === frameType.readEnd) this.#drop(grant);
        return true;
      }
      default:
        return false;
    }
  }

  close(): void {
    for (const grant of this.#grants.keys()) this.#drop(grant);
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #open(link: GuestLink, { grant, fd }: ReadWish, view: number): void {
    const shared = descriptorOf(view, fd);
    if (shared >= 0 && !this.#grants.has(grant)) {
      const own = leased(shared);
      if (own !== undefined && !isShared({ pid: this.#pid, view, fd }, shared)) {
        const position = kernel.call(nr.lseek, shared, 0, 1);
        const { size } = fs.fstatSync(own);
        this.#grants.set(grant, { link, shared, own, size, breaking: false });
        this.#watch();
        return link.sendJson(frameType.readAhead, { grant, position, size });
      }
      if (own !== undefined) close(own);
    }
    if (shared >= 0) close(shared);
    link.sendJson(frameType.readAhead, { grant });
  }

  /** u32 grant, u32 zero, u64 offset, bytes. */
  #send(number: number, offset: number): void {
    const grant = this.#grants.get(number);
    if (!grant) return;
    const { out } = grant.link;
    const n = kernel.call(nr.pread64, grant.own, out.address + frameHeader + 16, readUnit, offset);
    if (n <= 0) return; // the program finds out by itself
    out.view.setUint32(frameHeader, number, true);
    out.view.setUint32(frameHeader + 4, 0, true);
    out.write64(frameHeader + 8, offset);
    grant.link.sendFrame(frameType.readData, 16 + n);
  }

  #setPosition(number: number, position: number | undefined): void {
    const grant = this.#grants.get(number);
    if (grant && position !== undefined) kernel.call(nr.lseek, grant.shared, position, 0);
  }

  #drop(number: number): void {
    const grant = this.#grants.get(number);
    if (!grant) return;
    this.#grants.delete(number);
    close(grant.own);
    close(grant.shared);
  }

  /** The kernel's own word, a signal, would be one for all of the engine. */
  #watch(): void {
    this.#cancel ??= this.#loop.after(lookEvery, () => {
      this.#cancel = undefined;
      for (const [number, grant] of this.#grants) {
        if (grant.breaking || kernel.call(nr.fcntl, grant.own, F_GETLEASE, 0) === F_RDLCK) continue;
        grant.breaking = true;
        grant.link.sendJson(frameType.readEnd, { grant: number });
      }
      if (this.#grants.size > 0) this.#watch();
    });
  }
}

/** An open file of ours for the same file, with a read lease; undefined if there is none to be had. */
function leased(shared: number): number | undefined {
  const path = `/proc/self/fd/${shared}`;
  let own = -1;
  try {
    const flags = kernel.call(nr.fcntl, shared, F_GETFL, 0);
    if (flags < 0 || (flags & wrongFlags) !== 0 || !fs.fstatSync(shared).isFile()) return undefined;
    if (!ordinary.has(fs.statfsSync(path).type)) return undefined;
    own = openPath(path, O_NONBLOCK);
    // By default the kernel tells by SIGIO, which would end us.
    const set =
      kernel.call(nr.fcntl, own, F_SETSIG, SIGCHLD) === 0 && kernel.call(nr.fcntl, own, F_SETLEASE, F_RDLCK) === 0;
    if (set) return own;
  } catch {
    // The file system does not say, or the file cannot be opened.
  }
  if (own >= 0) close(own);
  return undefined;
}

/** Whether another descriptor, of this process or of another one, has the same open file. */
function isShared(of: { pid: number; view: number; fd: number }, shared: number): boolean {
  const target = fs.readlinkSync(`/proc/self/fd/${shared}`);
  for (const name of fs.readdirSync('/proc')) {
    const other = Number(name) === of.pid ? of.view : Number(name);
    if (!(other > 0) || other === process.pid) continue;
    for (const fd of descriptorsTo(other, target)) {
      if (other === of.view && fd === of.fd) continue;
      const order = kernel.call(nr.kcmp, of.view, other, KCMP_FILE, of.fd, fd);
      if (order === 0 || (order < 0 && order !== ESRCH && order !== EBADF)) return true;
    }
  }
  return false;
}

function descriptorsTo(pid: number, target: string): number[] {
  try {
    const directory = `/proc/${pid}/fd`;
    return fs.readdirSync(directory).flatMap((fd) => (linkOf(`${directory}/${fd}`) === target ? [Number(fd)] : []));
  } catch {
    return []; // it has ended
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
