/** From a frozen process to its image. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { kernel } from '../../sys/kernel.ts';
import { arena, PROT_WRITE, scratch } from '../../sys/memory.ts';
import { PageMap } from '../../sys/pagemap.ts';
import {
  descriptorTargets,
  exists,
  flaggedMappings,
  isKernelThread,
  livingThread,
  mappings,
  statFields,
  status,
  type FlaggedMapping,
  type Mapping,
} from '../../sys/procfs.ts';
import { SIGTRAP } from '../../sys/ptrace.ts';
import { peek, type Range } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { Registers } from '../../sys/x64/registers.ts';
import { readClock } from '../task/clocks.ts';
import { CannotFreeze } from '../task/freeze.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import { dataRanges, isUnnamedMemory } from './live_files.ts';
import { carryCall, isCutShort } from '../task/interrupted_calls.ts';
import {
  madeAs,
  protectionOf,
  specialNames,
  type AddressSpace,
  type FileImage,
  type MappingImage,
  type SignalImage,
  type StateImage,
  type ThreadImage,
} from './image.ts';
import { signalImage, waitingSignals } from './pending_signals.ts';
import { ringImage, ringName } from './rings.ts';
import { isBreakpoint, isFault } from '../task/siginfo.ts';
import { cutWrite } from '../task/partial_writes.ts';
import { layout, type InjectedCall, type Stub } from '../task/stub.ts';
import { timeoutOf } from '../task/timed_waits.ts';
import { fileKey, hasFile, isSegment, isSegmentKey } from './mapping_key.ts';
import { mayUseMapFiles, pathIfAny, pathOfMapped } from './mapping_source.ts';
import { StaysHome } from './stays_home.ts';
import { captureTimers, intervalCalls, intervalsSize, withoutTimers } from './timers.ts';

const keptFlags = ['ac', 'nr', 'gd', 'wf', 'dc', 'dd', 'lo', 'hg', 'nh', 'mg', 'sr', 'rr'];

/** How a mapped file of the local system is identified; a live one is mapped shared and writable. */
export type IdentifyFile = (mapping: Mapping, pid: number, live: boolean) => FileImage;

export function identifyByStat(node: string): IdentifyFile {
  const seen = new Map<string, FileImage>();
  return (mapping, pid, live) => {
    const key = fileKey(mapping, pid);
    let file = live ? undefined : seen.get(key);
    if (!file) {
      const stat = fs.statSync(pathOfMapped(pid, mapping), { bigint: true });
      if (live) return liveImage(node, { key, name: mapping.name }, Number(stat.size));
      file = { identity: [node, key, stat.size, stat.mtimeNs, stat.ctimeNs].join(' '), size: Number(stat.size) };
      seen.set(key, file);
    }
    return file;
  };
}

/** @param of `key`: `fileKey`, `name`: as in /proc/PID/maps */
export function liveImage(node: string, of: { key: string; name: string }, size: number): FileImage {
  const live = isUnnamedMemory(of.name) ? 'memory' : 'file';
  const image: FileImage = { identity: `${node} live ${of.key}`, size, live };
  return isSegmentKey(of.key) ? { ...image, segment: true } : image;
}

/** The `fileKey` of a live file at its home, by its identity. */
export function keyOfLive(identity: string): string {
  return identity.slice(identity.indexOf(' live ') + ' live '.length);
}

interface Look {
  readonly identify: IdentifyFile;
  readonly own: readonly Range[];
  /** Files (`fileKey`) that another process, which leaves along with it, may write through its memory. */
  readonly written?: ReadonlySet<string> | undefined;
  /** The process runs: what it unmaps just now may be missing. */
  readonly running?: boolean;
}

/**
 * `own` are ranges of ours, which do not count. A process that still runs may unmap a file between two looks:
 * then all is read again.
 * @throws StaysHome
 */
export function readAddressSpace(pid: number, options: Look): AddressSpace {
  for (let attempt = 1; ; attempt++) {
    try {
      return readOnce(pid, options);
    } catch (error) {
      if (!isMissing(error) || attempt === 20 || !exists(pid)) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What a look at something gives that may vanish at any moment. */
export function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!isMissing(error)) throw error;
    return undefined;
  }
}

function readOnce(pid: number, options: Look): AddressSpace {
  const keptOf = new Map<ReadonlySet<string>, string[]>(); // many mappings have the same
  const kept = (all: ReadonlySet<string>): string[] => {
    const found = keptOf.get(all) ?? keptFlags.filter((f) => all.has(f));
    keptOf.set(all, found);
    return found;
  };
  const files: FileImage[] = [];
  const out: MappingImage[] = [];
  for (const m of flaggedMappings(pid)) {
    if (m.name === '[vsyscall]' || options.own.some((r) => m.start >= r.address && m.end <= r.address + r.length))
      continue;
    refuseMapping(pid, m);
    if (m.name === ringName) {
      out.push(ringImage(m));
      continue;
    }
    let live = isLive(m, pid, options);
    let file = -1;
    if (hasFile(m)) {
      const image = options.running ? ifThere(() => options.identify(m, pid, live)) : options.identify(m, pid, live);
      if (!image) continue;
      live ||= image.live !== undefined && m.permissions[3] === 's';
      file = files.findIndex((f) => f.identity === image.identity);
      if (file < 0) file = files.push(image) - 1;
    }
    const { start, end, offset, permissions } = m;
    const [protection, shared] = [protectionOf(permissions), permissions[3] === 's'];
    const name = m.name.startsWith('[') ? m.name : '';
    const image = { start, end, protection, file, offset, shared, flags: kept(m.flags), name };
    if (!live) out.push(image);
    else out.push(m.flags.has('mw') ? { ...image, live } : { ...image, live, readOnly: true });
  }
  return { mappings: out, files };
}

/** Whether others see what is written there, or it what others write: of a segment, whoever attaches it, and however. */
function isLive(m: FlaggedMapping, pid: number, { written, running }: Look): boolean {
  if (m.permissions[3] !== 's') return false;
  if (m.flags.has('mw') || isSegment(m)) return true;
  if (!written || written.size === 0) return false;
  const key = running ? ifThere(() => fileKey(m, pid)) : fileKey(m, pid);
  return key !== undefined && written.has(key);
}

function refuseMapping(pid: number, m: FlaggedMapping): void {
  const { flags } = m;
  if (specialNames.has(m.name)) return;
  const refuse = (what: string): never => {
    throw new StaysHome(pid, `${what} (${m.name || 'memory'} at ${m.start.toString(16)})`);
  };
  if (isSegment(m) && !mayUseMapFiles()) refuse('it uses System V shared memory, which only root can open');
  if (flags.has('ht')) refuse('it uses huge pages of hugetlbfs');
  if (flags.has('io') || flags.has('pf')) refuse('it maps a device');
  if (flags.has('um') || flags.has('uw')) refuse('it uses userfaultfd');
}

/** Each thread that is away needs a slot. @throws StaysHome */
export function refuseThreads(pid: number, count: number): void {
  if (count > layout.slotCount)
    throw new StaysHome(pid, `it has ${count} threads, and at most ${layout.slotCount} can be away`);
}

/** What keeps a process home before it is even stopped. @throws StaysHome, CannotFreeze */
export function refuseProcess(pid: number): void {
  if (pid === 1) throw new StaysHome(pid, 'it is the first process of its machine or container');
  const view = livingThread(pid);
  if (view === undefined) throw new StaysHome(pid, 'it has ended (zombie)');
  const fields = status(view);
  if (isKernelThread(pid)) throw new StaysHome(pid, 'it is a kernel thread');
  if (!fields.has('VmSize')) throw new CannotFreeze(pid, 'no-such-process', 'it is just ending');
  if (Number(fields.get('Seccomp') ?? 0) !== 0) throw new StaysHome(pid, 'it runs under a seccomp filter of its own');
  refuseThreads(pid, Number(fields.get('Threads') ?? 0));
  const policy = Number(statFields(view)(41));
  if (policy === 1 || policy === 2 || policy === 6) throw new StaysHome(pid, 'it is in a real-time scheduling class');
  for (const [fd, target] of descriptorTargets(view)) {
    if (target === 'anon_inode:[userfaultfd]') throw new StaysHome(pid, `it has a userfaultfd (descriptor ${fd})`);
  }
}

/** Digest and sizes of the vDSO family; equal on nodes with the same kernel. There is none in the middle of execve(2). */
export function vdsoOf(pid: number): { digest: string; specials: { name: string; length: number }[] } {
  const maps = mappings(pid).filter((m) => specialNames.has(m.name) && m.name !== '[vsyscall]');
  const vdso = maps.find((m) => m.name === '[vdso]');
  if (!vdso) throw new StaysHome(pid, 'it has no vDSO, or has ended');
  const bytes = peek(pid, vdso.start, vdso.end - vdso.start);
  return {
    digest: vdso ? createHash('sha256').update(bytes).digest('hex') : '',
    specials: maps.map((m) => ({ name: m.name, length: m.end - m.start })),
  };
}

const PR_GET_NAME = 16;
const PR_GET_TID_ADDRESS = 40;
const CLOCK_THREAD_CPUTIME_ID = 3;
const clockAt = scratch(16);

/** CPU time of a process of this host in nanoseconds (clock_getcpuclockid(3)'s encoding). */
export function cpuTimeOfProcess(pid: number): number {
  const CPUCLOCK_SCHED = 2;
  if (kernel.call(nr.clock_gettime, (~pid << 3) | CPUCLOCK_SCHED, arena.address + clockAt) < 0) return 0;
  return arena.read64(clockAt) * 1e9 + arena.read64(clockAt + 8);
}

/** CPU time of a thread in nanoseconds: other processes' thread clocks cannot be read, but schedstat can (proc(5)). */
export function cpuTimeOfThread(tid: number): number {
  try {
    return Number(fs.readFileSync(`/proc/${tid}/schedstat`, 'latin1').split(' ')[0]);
  } catch {
    const field = statFields(tid);
    return (Number(field(14)) + Number(field(15))) * 1e7;
  }
}

/** Behind the 65 actions. */
const intervalsAt = 64 + 66 * 32;

/** State of all threads and of the process; every thread is borrowed once. */
export function captureThreads(
  stub: Stub,
  frozen: readonly FrozenTask[],
): { threads: ThreadImage[]; actions: Buffer; brk: number; intervals: string } {
  const at = stub.scratchAddress(0);
  const threads: ThreadImage[] = [];
  const actions = Buffer.alloc(64 * 32);
  let brk = 0;
  let intervals = '';
  frozen.forEach(({ task, since, restartOf = 0, beginKnown = false, written: before = 0, pendingSignal }, index) => {
    const registers = task.registers();
    const mask = task.signalMask();
    const rseq = task.rseq();
    const extendedState = encodeExtendedState(task.extendedState());
    using session = stub.borrow(task, mask);
    const calls: InjectedCall[] = [
      [nr.sigaltstack, 0, at],
      [nr.prctl, PR_GET_TID_ADDRESS, at + 32],
      [nr.get_robust_list, 0, at + 40, at + 48],
      [nr.prctl, PR_GET_NAME, at + 64],
      [nr.clock_gettime, CLOCK_THREAD_CPUTIME_ID, at + 80],
    ];
    if (index === 0) {
      calls.push([nr.brk, 0]);
      for (let signal = 1; signal <= 64; signal++) calls.push([nr.rt_sigaction, signal, 0, at + 64 + signal * 32, 8]);
      calls.push(...intervalCalls(at + intervalsAt));
    }
    const results = session.run(calls);
    const bytes = stub.memory.buffer.subarray(layout.scratch, layout.scratch + 64 + 65 * 32);
    if (index === 0) {
      brk = results[5]!;
      // SIGTRAP's entry is ours; the program's own was saved when the stub came. Only the program makes it the default one.
      const trap = 96 + 32 * (SIGTRAP - 1);
      if (bytes.readBigUInt64LE(trap) !== 0n)
        stub.memory.buffer.copy(bytes, trap, layout.trapAction, layout.trapAction + 32);
      bytes.copy(actions, 0, 96, 96 + 64 * 32);
      const intervalsStart = layout.scratch + intervalsAt;
      intervals = stub.memory.buffer.toString('base64', intervalsStart, intervalsStart + intervalsSize);
    }
    if (rseq) abortCriticalSection(task.tid, registers, rseq.pointer);
    const written = pendingSignal ? 0 : cutWrite(registers, task.tid, before);
    const carried = carryCall(task.tid, registers, { restartOf, beginKnown });
    const timed = isCutShort(registers) && timeoutOf(registers.syscall, registers.syscallArguments) !== undefined;
    threads.push({
      tid: task.tid,
      name: bytes.toString('latin1', 64, bytes.indexOf(0, 64)),
      registers: encodeRegisters(registers),
      extendedState,
      mask: mask.toString(16),
      alternateStack: bytes.toString('base64', 0, 24),
      clearTid: results[1] < 0 ? 0 : Number(bytes.readBigUInt64LE(32)),
      robustList:
        results[2] < 0
          ? { head: 0, length: 0 }
          : { head: Number(bytes.readBigUInt64LE(40)), length: Number(bytes.readBigUInt64LE(48)) },
      rseq,
      cpuTime: Number(bytes.readBigUInt64LE(80)) * 1e9 + Number(bytes.readBigUInt64LE(88)),
      cpuTimeAway: 0,
      restartOf: carried,
      written,
      since: timed && since !== undefined ? String(since) : undefined,
    });
  });
  return { threads, actions, brk, intervals };
}

const zeros = Buffer.alloc(256);

/** The end of the area is zero unless the program uses the CPU's newest registers; with many threads that counts. */
function encodeExtendedState(bytes: Uint8Array): string {
  let used = bytes.length;
  while (used >= zeros.length && zeros.equals(bytes.subarray(used - zeros.length, used))) used -= zeros.length;
  return Buffer.from(bytes.buffer, bytes.byteOffset, used).toString('base64');
}

export function encodeRegisters(registers: Registers): string {
  return Array.from(registers.words, (word) => word.toString(16)).join(',');
}

export function decodeRegisters(text: string): Registers {
  return new Registers(BigUint64Array.from(text.split(','), (word) => BigInt('0x' + word)));
}

/** struct rseq: rseq_cs at 8; struct rseq_cs: start_ip 8, post_commit_offset 16, abort_ip 24 (linux/rseq.h). */
function abortCriticalSection(tid: number, registers: Registers, pointer: number): void {
  const area = Buffer.from(peek(tid, pointer, 32));
  if (area.length < 16) return;
  const descriptor = Number(area.readBigUInt64LE(8));
  if (descriptor === 0) return;
  const section = Buffer.from(peek(tid, descriptor, 32));
  if (section.length < 32) return;
  const start = section.readBigUInt64LE(8);
  if (registers.get('rip') - start < section.readBigUInt64LE(16) && registers.get('rip') >= start)
    registers.set('rip', section.readBigUInt64LE(24));
}

/** What a frozen process is besides its memory. @param read the signals that it reads from signalfds, as a mask */
export function captureState(stub: Stub, frozen: readonly FrozenTask[], read: bigint): StateImage {
  const { pid, view } = stub;
  const held = threadsBlock(frozen) & read;
  const { threads, actions, brk, intervals } = captureThreads(stub, frozen);
  if (frozen.some(({ pendingSignal }) => pendingSignal && isBreakpoint(pendingSignal.info))) endIgnoredTrap(actions);
  const tasks = frozen.map(({ task }) => task);
  const timers = captureTimers(stub, tasks, held, intervals);
  const field = statFields(view);
  const word = (index: number): number => Number(field(index));
  return {
    pid,
    // start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end
    layout: [word(26), word(27), word(45), word(46), word(47), brk, word(28), word(48), word(49), word(50), word(51)],
    actions: actions.toString('base64'),
    threads,
    lodgers: [],
    cpuTime: cpuTimeOfProcess(pid),
    cpuTimeAway: 0,
    heldSignals: held.toString(16),
    signals: [...interruptedSignals(pid, frozen), ...withoutTimers(waitingSignals(tasks, held), timers)],
    timers,
    coarseClock: String(readClock('coarse')),
  };
}

/** A breakpoint is not ignored: the kernel takes the action back to default (force_sig_info_to_task in kernel/signal.c). */
function endIgnoredTrap(actions: Buffer): void {
  const at = 32 * (SIGTRAP - 1);
  if (actions.readBigUInt64LE(at) === 1n) actions.writeBigUInt64LE(0n, at);
}

/** What all threads block. */
function threadsBlock(frozen: readonly FrozenTask[]): bigint {
  return frozen.reduce((mask, { task }) => mask & task.signalMask(), (1n << 64n) - 1n);
}

/** Signals that were about to be delivered when the threads stopped. */
export function interruptedSignals(pid: number, frozen: readonly FrozenTask[]): SignalImage[] {
  return frozen.flatMap(({ task, pendingSignal }) =>
    pendingSignal && !isFault(pendingSignal) ? [signalImage(pid, task.tid, pendingSignal)] : [],
  );
}

/**
 * The runs of pages with content of their own.
 * @param liveFile a descriptor of a live file, by identity
 */
export function contentRanges(
  pid: number,
  space: AddressSpace,
  liveFile: (identity: string) => number | undefined,
): Range[] {
  using map = new PageMap(pid);
  const out: Range[] = [];
  // Neighbours are looked at together: there may be tens of thousands of mappings.
  let together = { start: 0, end: 0, ofFile: false };
  const collect = (): void => map.collect(together.start, together.end, together.ofFile, out);
  for (const m of space.mappings) {
    // What was never writable has no content of its own (unless a debugger wrote into it).
    if (specialNames.has(m.name) || (!m.readOnly && (madeAs(m).protection & PROT_WRITE) === 0)) continue;
    const ofFile = m.file >= 0;
    if (!m.live && m.start === together.end && ofFile === together.ofFile) {
      together.end = m.end;
      continue;
    }
    collect();
    if (m.live) out.push(...liveRanges(pid, m, liveFile(space.files[m.file].identity)));
    together = m.live ? { start: m.end, end: m.end, ofFile } : { start: m.start, end: m.end, ofFile };
  }
  collect();
  return out;
}

function liveRanges(pid: number, m: MappingImage, descriptor: number | undefined): Range[] {
  if (descriptor !== undefined) return dataRanges(descriptor, m);
  const mapping = mappings(pid).find(({ start }) => start === m.start);
  const path = mapping && pathIfAny(pid, mapping);
  // Without root, memory that was made away cannot be asked where it is empty.
  return path === undefined ? [{ address: m.start, length: m.end - m.start }] : dataRanges(path, m);
}
