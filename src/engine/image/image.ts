/**
 * The image of a process: everything that travels besides page contents. It is plain JSON; numbers that need 64 bits
 * are hexadecimal strings, byte strings are base64.
 */
import type { ProcessTimer } from '../../sys/procfs.ts';
import type { RseqConfiguration } from '../../sys/ptrace.ts';
import type { Range } from '../../sys/remote_memory.ts';
import { readClock } from '../task/clocks.ts';
import type { KnownWait } from '../task/marked_calls.ts';

/** A file of which a process maps pages. */
export interface FileImage {
  /** Same file, same content: node, device, inode, size and times. Of a live file: the same file. */
  identity: string;
  size: number;
  /**
   * Some of it is mapped shared and writable: its content changes, and travels with the process. `memory` has no file
   * that anybody could read.
   */
  live?: 'memory' | 'file';
  /** It is System V shared memory. */
  segment?: true;
}

export interface MappingImage {
  start: number;
  end: number;
  /** PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4. */
  protection: number;
  /** Index into the image's files, or -1 for anonymous memory. */
  file: number;
  offset: number;
  shared: boolean;
  /** Shared and writable, or could be made so. */
  live?: boolean;
  /** Of live memory: this mapping cannot be made writable. */
  readOnly?: true;
  /** Rings of an io_uring: at home the kernel's memory, away a copy (docs/internals/address_space.md). */
  ring?: boolean;
  /** VmFlags that must hold at the other side too: gd, wf, dc, dd, lo, hg, nh, mg … */
  flags: string[];
  /** "[vdso]" and its relatives, which are moved and not copied; "[stack]", "[heap]"; else empty. */
  name: string;
}

export interface ThreadImage {
  tid: number;
  name: string;
  /** 27 hexadecimal words in the order of struct user_regs_struct, joined by commas. */
  registers: string;
  extendedState: string;
  mask: string;
  /** stack_t, 24 bytes. */
  alternateStack: string;
  clearTid: number;
  robustList: { head: number; length: number };
  rseq: RseqConfiguration | undefined;
  /** CPU time used so far, nanoseconds. */
  cpuTime: number;
  /** What of it the home kernel does not know: it was used on hosting nodes since the process left home. */
  cpuTimeAway: number;
  /** The call whose restart block lies in the home kernel; 0 when there is none. */
  restartOf: number;
  /** When the timed wait began that was cut short, on the home node's CLOCK_MONOTONIC, nanoseconds (a decimal string). */
  since: string | undefined;
  /** How much the write has written that was cut short (partial_writes.ts). */
  written: number;
}

/** What is known of the wait that was cut short, on this host's CLOCK_MONOTONIC; undefined where none was. */
export function knownWait({ since, restartOf }: ThreadImage, homeIsAhead = 0n): KnownWait | undefined {
  if (since === undefined && restartOf === 0) return undefined;
  // How long it has waited that goes on by restart_syscall(2), its kernel knows.
  return { since: since === undefined ? readClock('monotonic') : BigInt(since) - homeIsAhead, restartOf };
}

/** CPU time from before the present stay, nanoseconds. */
export interface CpuBase {
  readonly all: number;
  /** Used away from home. */
  readonly away: number;
}

export function baseOf(image: Pick<ThreadImage, 'cpuTime' | 'cpuTimeAway'>): CpuBase {
  return { all: image.cpuTime, away: image.cpuTimeAway };
}

/** A signal on its way: for one thread, or (tid 0) for the process. */
export interface SignalImage {
  signal: number;
  /** 128 bytes of siginfo. */
  info: string;
  tid: number;
}

export interface TimerImage extends ProcessTimer {
  /** Nanoseconds, decimal. */
  interval: string;
  /** When it comes next: a time of its clock, or, for a clock of CPU time, how much is left; "0": not armed. */
  next: string;
  /** Its signal waited, and was taken out of the queue: it is sent again when the timer is armed. */
  taken: boolean;
}

export interface Timers {
  posix: TimerImage[];
  /** ITIMER_VIRTUAL and ITIMER_PROF, each a struct itimerval. */
  intervals: string;
}

/** A process that borrows the memory of the one that comes home (vfork). */
export interface LodgerImage {
  thread: ThreadImage;
  /** As in StateImage. */
  actions: string;
  /** The thread that must not go on before the lodger has gone. */
  waiting: number;
  signals: SignalImage[];
}

/** Mappings and the files behind them. */
export interface AddressSpace {
  mappings: MappingImage[];
  files: FileImage[];
}

/** What travels first: the other side makes it while the pages are on their way and the threads are still captured. */
export interface SpaceImage extends AddressSpace {
  limits: [string, string][];
  /** Some of its memory are rings of an io_uring. */
  rings: boolean;
}

/** What travels last. */
export interface StateImage {
  pid: number;
  /** prctl_mm_map without auxv and exe_fd: 11 addresses (prctl(2), PR_SET_MM_MAP). */
  layout: number[];
  /** 64 struct kernel_sigaction of 32 bytes. */
  actions: string;
  threads: ThreadImage[];
  lodgers: LodgerImage[];
  /** As of each thread. */
  cpuTime: number;
  cpuTimeAway: number;
  /** Mask of the signals that wait at home, where signalfds read them; hexadecimal. */
  heldSignals: string;
  /** Signals that were about to be delivered when the threads stopped. */
  signals: SignalImage[];
  timers: Timers;
  /** CLOCK_MONOTONIC_COARSE on the home node when all threads stood still, nanoseconds (a decimal string). */
  coarseClock: string;
}

export interface ProcessImage extends SpaceImage, StateImage {}

/** What the hosting node needs to know before the freeze. */
export interface Preparation {
  pid: number;
  uid: number;
  realUid: number;
  command: string;
  home: string;
  stubBase: number;
  files: { file: FileImage; ranges: Range[] }[];
  /** How far home's clocks are ahead of the hosting node's, nanoseconds. */
  clockOffsets: { monotonic: string; boottime: string };
  vdso: { digest: string; specials: { name: string; length: number }[] };
  /** What home's CPUs have: the program may have chosen its code by them. */
  cpuFeatures: readonly string[];
  moves: number;
  /** The body comes from another hosting node, over a connection of its own. */
  onward: boolean;
}

/**
 * How a mapping is made before its content is there. Accounting is part of what decides whether the kernel merges
 * neighbours, and so whether mremap(2) takes them as one: a mapping that was never writable (not `ac`, accountable)
 * stays so, and MAP_NORESERVE (`nr`) stays what it was.
 */
export function madeAs(m: MappingImage): { protection: number; noReserve: boolean } {
  const PROT_READ = 1;
  const PROT_READ_WRITE = 3;
  if (m.readOnly) return { protection: m.protection, noReserve: m.flags.includes('nr') };
  if (m.shared) return { protection: m.live ? PROT_READ_WRITE : PROT_READ, noReserve: m.flags.includes('nr') };
  const content = m.flags.includes('ac') || m.flags.includes('nr') || (m.protection & 2) !== 0;
  return { protection: content ? PROT_READ_WRITE : m.protection, noReserve: m.flags.includes('nr') };
}

export const specialNames: ReadonlySet<string> = new Set(['[vvar]', '[vvar_vclock]', '[vdso]', '[vsyscall]']);

export function protectionOf(permissions: string): number {
  return (permissions[0] === 'r' ? 1 : 0) | (permissions[1] === 'w' ? 2 : 0) | (permissions[2] === 'x' ? 4 : 0);
}
