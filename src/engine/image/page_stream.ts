/** Sending and receiving page contents. */
import { kernel } from '../../sys/kernel.ts';
import { openPath, close } from '../../sys/descriptors.ts';
import { SystemCallError } from '../../sys/errors.ts';
import { maximumRanges, readRanges, writeRanges, type Range, ProcessMemory } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameHeader, frameType, maximumFrame } from '../../wire/frames.ts';
import type { Frame, GuestLink } from '../link/link.ts';

const runHeader = 16;
/** Pages per frame: fewer bytes let other guests' calls through sooner, more save system calls. */
const bytesPerFrame = 512 * 1024;
const runsPerFrame = 512;

/** Cuts ranges into groups that fit a frame. */
export function* groups(ranges: readonly Range[]): Generator<Range[]> {
  let group: Range[] = [];
  let bytes = 0;
  for (const range of ranges) {
    for (let { address, length } = range; length > 0;) {
      const part = Math.min(length, bytesPerFrame - bytes);
      group.push({ address, length: part });
      address += part;
      length -= part;
      bytes += part;
      if (bytes < bytesPerFrame && group.length < Math.min(runsPerFrame, maximumRanges)) continue;
      yield group;
      group = [];
      bytes = 0;
    }
  }
  if (group.length) yield group;
}

/** Streams pages of a stopped process. @returns bytes sent @throws LinkClosed, SystemCallError */
export async function sendPages(
  link: GuestLink,
  pid: number,
  ranges: readonly Range[],
  progress?: (bytes: number) => void,
): Promise<number> {
  let total = 0;
  let file = -1;
  try {
    for (const group of groups(ranges)) {
      await link.drained();
      const { out } = link;
      const data = frameHeader + 8 + group.length * runHeader;
      out.u32[frameHeader >> 2] = group.length;
      out.u32[(frameHeader >> 2) + 1] = 0;
      group.forEach((run, i) => {
        out.write64(frameHeader + 8 + i * runHeader, run.address);
        out.write64(frameHeader + 16 + i * runHeader, run.length);
      });
      const bytes = group.reduce((sum, run) => sum + run.length, 0);
      if (readRanges(pid, group, out.address + data) !== bytes) {
        // Pages that the process itself may not read (PROT_NONE): /proc/PID/mem may.
        if (file < 0) file = openPath(`/proc/${pid}/mem`, 0);
        readForced(file, pid, group, out.address + data);
      }
      link.sendFrame(frameType.pages, data - frameHeader + bytes);
      total += bytes;
      progress?.(total);
    }
  } finally {
    if (file >= 0) close(file);
  }
  return total;
}

function readForced(file: number, pid: number, group: readonly Range[], local: number): void {
  let at = local;
  for (const { address, length } of group) {
    const n = kernel.call(nr.pread64, file, at, length, address);
    if (n !== length)
      throw new SystemCallError('read process memory', n < 0 ? n : -14, { pid, address: address.toString(16), length });
    at += length;
  }
}

/** The runs and the place of the bytes of a `pages` frame. @throws RangeError on a malformed one */
export function decodePages(frame: Frame): { runs: Range[]; local: number; bytes: number } {
  const { memory, offset, length } = frame;
  const view = memory.view;
  const count = length >= 8 ? view.getUint32(offset, true) : 0;
  const data = 8 + count * runHeader;
  if (count === 0 || count > maximumRanges || data > length)
    throw new RangeError(`Cannot read pages: ${count} runs in ${length} bytes`);
  const runs: Range[] = [];
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const address = Number(view.getBigUint64(offset + 8 + i * runHeader, true));
    const size = Number(view.getBigUint64(offset + 16 + i * runHeader, true));
    if (address > 2 ** 47 || size > maximumFrame)
      throw new RangeError(`Cannot read pages: a run of ${size} bytes at ${address}`);
    runs.push({ address, length: size });
    bytes += size;
  }
  if (bytes !== length - data) throw new RangeError(`Cannot read pages: ${length - data} bytes for runs of ${bytes}`);
  return { runs, local: memory.address + offset + data, bytes };
}

/** A mapping that cannot be written: its content goes into the file behind it. */
export interface Diversion {
  readonly start: number;
  readonly end: number;
  readonly descriptor: number;
  readonly offset: number;
}

/**
 * Writes received pages into a process, through /proc/PID/mem where they are not writable, and where not even that can
 * write, into the file. @returns bytes written
 */
export function writePages(pid: number, frame: Frame, diversions: readonly Diversion[] = []): number {
  const { runs, local, bytes } = decodePages(frame);
  if (diversions.length === 0 && writeRanges(pid, runs, local) === bytes) return bytes;
  using memory = new ProcessMemory(pid);
  let at = local;
  for (const { address, length, diversion } of cut(runs, diversions)) {
    const n = diversion
      ? kernel.call(nr.pwrite64, diversion.descriptor, at, length, diversion.offset + address - diversion.start)
      : memory.write(address, length, at);
    if (n !== length)
      throw new SystemCallError('write process memory', n < 0 ? n : -14, {
        pid,
        address: address.toString(16),
        length,
      });
    at += length;
  }
  return bytes;
}

/** Runs may reach over the ends of mappings. */
function* cut(
  runs: readonly Range[],
  diversions: readonly Diversion[],
): Generator<Range & { diversion: Diversion | undefined }> {
  for (const run of runs) {
    const runEnd = run.address + run.length;
    for (let from = run.address, end = from; from < runEnd; from = end) {
      const diversion = diversions.find(({ start, end: last }) => from >= start && from < last);
      const next = Math.min(...diversions.filter(({ start }) => start > from).map(({ start }) => start));
      end = Math.min(runEnd, diversion?.end ?? next);
      yield { address: from, length: end - from, diversion };
    }
  }
}
