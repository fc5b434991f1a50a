/** What /proc tells about a process; see proc(5). */
import fs from 'node:fs';

/** One mapping of /proc/PID/maps. */
export interface Mapping {
  start: number;
  end: number;
  /** e.g. "rw-p" */
  permissions: string;
  offset: number;
  /** "major:minor" in hexadecimal. */
  device: string;
  inode: number;
  name: string;
}

/** What a line says after the addresses: of many mappings the same. */
type MappingTail = Omit<Mapping, 'start' | 'end'>;

const mappingTail = /^(\S{4}) ([0-9a-f]+) (\S+) (\d+)\s*(.*)$/;

function parseTail(text: string): MappingTail | undefined {
  const m = mappingTail.exec(text);
  return m
    ? { permissions: m[1], offset: parseInt(m[2], 16), device: m[3], inode: Number(m[4]), name: m[5] }
    : undefined;
}

const blank = 32;
const newline = 10;
const minus = 45;

/** The lines of /proc/PID/maps, of which there may be tens of thousands: little garbage is made. */
class MappingLines {
  readonly #tails = new Map<string, MappingTail | undefined>();

  /** The line at `from`, which ends before `to`. */
  read(bytes: Buffer, from: number, to: number): Mapping | undefined {
    const dash = bytes.indexOf(minus, from);
    const space = bytes.indexOf(blank, dash);
    const text = bytes.toString('latin1', space + 1, to);
    if (!this.#tails.has(text)) this.#tails.set(text, parseTail(text));
    const tail = this.#tails.get(text);
    if (!tail) return undefined;
    const { permissions, offset, device, inode, name } = tail;
    const [start, end] = [hexIn(bytes, from, dash), hexIn(bytes, dash + 1, space)];
    return { start, end, permissions, offset, device, inode, name };
  }
}

/** Where the line at `from` ends. */
function lineEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(newline, from);
  return end < 0 ? bytes.length : end;
}

/** /proc/PID/maps. */
export function mappings(pid: number): Mapping[] {
  const out: Mapping[] = [];
  const lines = new MappingLines();
  for (const piece of inPieces(`/proc/${pid}/maps`, (text) => text.lastIndexOf(newline))) {
    for (let at = 0, end = 0; at < piece.length; at = end + 1) {
      end = lineEnd(piece, at);
      const mapping = lines.read(piece, at, end);
      if (mapping) out.push(mapping);
    }
  }
  return out;
}

export interface FlaggedMapping extends Mapping {
  /** VmFlags: two-letter codes, e.g. "gd", "wf", "mw". */
  flags: ReadonlySet<string>;
}

const flagsLine = Buffer.from('\nVmFlags:');

/**
 * The mappings of /proc/PID/smaps: of each a line as in /proc/PID/maps, lines that do not matter here, and its flags. The
 * kernel writes 700 bytes about each.
 */
export function flaggedMappings(pid: number): FlaggedMapping[] {
  const out: FlaggedMapping[] = [];
  const lines = new MappingLines();
  const sets = new Map<string, ReadonlySet<string>>();
  for (const piece of inPieces(`/proc/${pid}/smaps`, (text) => text.lastIndexOf(flagsLine) + 1)) {
    for (let at = 0, end = 0; at < piece.length; at = end + 1) {
      const flagsAt = piece.indexOf(flagsLine, at);
      if (flagsAt < 0) break;
      end = lineEnd(piece, flagsAt + 1);
      const text = piece.toString('latin1', flagsAt + flagsLine.length, end).trim();
      const flags = sets.get(text) ?? new Set(text.split(' '));
      sets.set(text, flags);
      const mapping = lines.read(piece, at, lineEnd(piece, at));
      if (mapping) out.push({ ...mapping, flags });
    }
  }
  return out;
}

/** A hexadecimal number of up to 13 digits. */
function hexIn(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i];
    value = value * 16 + (digit < 58 ? digit - 48 : digit - 87); // '0' is 48, 'a' is 97
  }
  return value;
}

/** Bytes that are looked at together. */
const pieceSize = 256 << 10;
/** More than is said of one mapping: its name is a path. */
const longestEntry = 8 << 10;
const pieceMemory = Buffer.allocUnsafeSlow(pieceSize);

/**
 * A long file of /proc in pieces that end where an entry does, `last` says where that begins which ends the last whole one.
 * Each read gives a page of it at most, and fs.readFileSync would keep 64 KiB for each. A piece holds until the next is asked for.
 */
function* inPieces(path: string, last: (text: Buffer) => number): Generator<Buffer> {
  const file = fs.openSync(path, 'r');
  try {
    for (let kept = 0; ;) {
      let got = 0;
      do kept += got = fs.readSync(file, pieceMemory, kept, pieceSize - kept, null);
      while (got > 0 && kept < pieceSize - longestEntry);
      const whole = pieceMemory.subarray(0, kept);
      const end = got === 0 ? kept : whole.indexOf(newline, last(whole)) + 1;
      yield whole.subarray(0, end);
      if (got === 0) return;
      pieceMemory.copyWithin(0, end, kept);
      kept -= end;
    }
  } finally {
    fs.closeSync(file);
  }
}

/** The fields of /proc/PID/status by name. */
export function status(pid: number): Map<string, string> {
  return parseStatus(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
}

function parseStatus(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) out.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return out;
}

const PF_KTHREAD = 0x200000;

/** proc(5), /proc/PID/stat; linux/sched.h. A process that has given up its memory, on its way to its end, is none. */
export function isKernelThread(pid: number): boolean {
  return (Number(statFields(pid)(9)) & PF_KTHREAD) !== 0;
}

/** Blocked, ignored and caught signals of one thread, as bit masks (bit 0 = signal 1). */
export interface SignalSets {
  /** Waiting for the thread or for its process. */
  pending: bigint;
  blocked: bigint;
  ignored: bigint;
  caught: bigint;
}

/** Of a task that has ended: none at all. */
export function signalSets(tid: number): SignalSets {
  let fields: Map<string, string> | undefined;
  try {
    fields = status(tid);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')))
      throw error;
  }
  const mask = (name: string): bigint => BigInt('0x' + (fields?.get(name) ?? '0'));
  return {
    pending: mask('SigPnd') | mask('ShdPnd'),
    blocked: mask('SigBlk'),
    ignored: mask('SigIgn'),
    caught: mask('SigCgt'),
  };
}

/** Processes whose parent is (a thread of) this one; none if it has ended, or the kernel does not say. */
export function childrenOf(pid: number): number[] {
  try {
    return threadIds(pid).flatMap((tid) => childrenOfThread(pid, tid));
  } catch {
    return [];
  }
}

export function childrenOfThread(pid: number, tid: number): number[] {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function threadIds(pid: number): number[] {
  return fs.readdirSync(`/proc/${pid}/task`).map(Number);
}

/** As `statFields`, or undefined when there is no such task (any more). */
export function statFieldsIfAny(tid: number): ((index: number) => string) | undefined {
  try {
    return statFields(tid);
  } catch {
    return undefined;
  }
}

/** Whether a task has ended; a main thread that has stays as a zombie while others of its process live. */
export function hasEnded(tid: number): boolean {
  return ['Z', 'X', undefined].includes(statFieldsIfAny(tid)?.(3));
}

/**
 * A thread by which the kernel shows a process's memory, files and mappings in /proc and to process_vm_readv(2): the
 * main one, or when that has ended another one; undefined when all have.
 */
export function livingThread(pid: number): number | undefined {
  if (!hasEnded(pid)) return pid;
  try {
    return threadIds(pid).find((tid) => !hasEnded(tid));
  } catch {
    return undefined; // the whole process is gone
  }
}

/** Fields of /proc/PID/stat, counted from 1 as in proc(5); field 2 (the name) is not among them. */
export function statFields(pid: number): (index: number) => string {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (index) => fields[index - 3] ?? '0';
}

/** The name of a process without its line end. */
export function commandName(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/comm`, 'latin1').replace(/\n$/, '');
}

export function exists(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}`);
}

/** What each open descriptor of a process points to. */
export function descriptorTargets(pid: number): Map<number, string> {
  const out = new Map<number, string>();
  for (const name of fs.readdirSync(`/proc/${pid}/fd`)) {
    try {
      out.set(Number(name), fs.readlinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // closed between the listing and the look
    }
  }
  return out;
}

/** The signals that a process reads from its signalfds, as a mask (proc(5), /proc/PID/fdinfo). */
export function signalfdMask(pid: number, descriptors: ReadonlyMap<number, string>): bigint {
  let mask = 0n;
  for (const [fd, target] of descriptors) {
    if (target !== 'anon_inode:[signalfd]') continue;
    const text = fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
    mask |= BigInt('0x' + (/^sigmask:\s*([0-9a-f]+)/m.exec(text)?.[1] ?? '0'));
  }
  return mask;
}

/** The 16 resource limits, soft and hard, in the order of their numbers; 2^64-1 is "unlimited". */
export function resourceLimits(pid: number): [string, string][] {
  const order = [
    'cpu time',
    'file size',
    'data size',
    'stack size',
    'core file size',
    'resident set',
    'processes',
    'open files',
    'locked memory',
    'address space',
    'file locks',
    'pending signals',
    'msgqueue size',
    'nice priority',
    'realtime priority',
    'realtime timeout',
  ];
  const lines = fs.readFileSync(`/proc/${pid}/limits`, 'latin1').split('\n');
  const value = (text: string): string => (text === 'unlimited' ? '18446744073709551615' : text);
  return order.map((name) => {
    const line = lines.find((l) => l.startsWith(`Max ${name}`)) ?? '';
    const [soft = 'unlimited', hard = 'unlimited'] = line.slice(26).trim().split(/\s+/);
    return [value(soft), value(hard)];
  });
}

/** A POSIX timer as /proc/PID/timers describes it (fs/proc/base.c, show_timer). */
export interface ProcessTimer {
  id: number;
  signal: number;
  /** sigev_value, hexadecimal. */
  value: string;
  notify: 'signal' | 'none' | 'thread';
  /** The thread that gets the signal; 0: any. */
  tid: number;
  clock: number;
}

const timerEntry =
  /ID: (\d+)\nsignal: (\d+)\/([0-9a-f]+)\nnotify: (signal|none|thread)\/(pid|tid)\.(\d+)\nClockID: (-?\d+)/g;

/** By ascending id; none where the kernel does not say (CONFIG_CHECKPOINT_RESTORE). */
export function processTimers(pid: number): ProcessTimer[] {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/timers`, 'latin1');
  } catch {
    return [];
  }
  const found = [...text.matchAll(timerEntry)].map(([, id, signal, value, notify, whom, tid, clock]) => ({
    id: Number(id),
    signal: Number(signal),
    value,
    // cast: the expression allows nothing else
    notify: whom === 'tid' && Number(tid) === 0 ? 'none' : (notify as ProcessTimer['notify']), // that thread has ended
    tid: whom === 'tid' ? Number(tid) : 0,
    clock: Number(clock),
  }));
  return found.sort((a, b) => a.id - b.id);
}
