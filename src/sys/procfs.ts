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

const mappingLine = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) (\d+)\s*(.*)$/;

function parseMapping(line: string): Mapping | undefined {
  const m = mappingLine.exec(line);
  if (!m) return undefined;
  return {
    start: parseInt(m[1], 16),
    end: parseInt(m[2], 16),
    permissions: m[3],
    offset: parseInt(m[4], 16),
    device: m[5],
    inode: Number(m[6]),
    name: m[7],
  };
}

export function mappings(pid: number): Mapping[] {
  const out: Mapping[] = [];
  for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
    const mapping = parseMapping(line);
    if (mapping) out.push(mapping);
  }
  return out;
}

export interface FlaggedMapping extends Mapping {
  /** VmFlags: two-letter codes, e.g. "gd", "wf", "mw". */
  flags: ReadonlySet<string>;
}

/** The mappings of /proc/PID/smaps: of each a line as in /proc/PID/maps, lines that do not matter here, and its flags. */
export function flaggedMappings(pid: number): FlaggedMapping[] {
  const out: FlaggedMapping[] = [];
  const text = fs.readFileSync(`/proc/${pid}/smaps`, 'latin1');
  const label = '\nVmFlags:';
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    const flagsAt = text.indexOf(label, at);
    if (flagsAt < 0) break;
    end = text.indexOf('\n', flagsAt + 1);
    const mapping = parseMapping(text.slice(at, text.indexOf('\n', at)));
    const flags = new Set(
      text
        .slice(flagsAt + label.length, end)
        .trim()
        .split(' '),
    );
    if (mapping) out.push({ ...mapping, flags });
  }
  return out;
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

/** Blocked, ignored and caught signals of one thread, as bit masks (bit 0 = signal 1). */
export interface SignalSets {
  /** Waiting for the thread or for its process. */
  pending: bigint;
  blocked: bigint;
  ignored: bigint;
  caught: bigint;
}

export function signalSets(tid: number): SignalSets {
  const fields = status(tid);
  const mask = (name: string): bigint => BigInt('0x' + (fields.get(name) ?? '0'));
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
