/** Building a body from an image: address space, signal actions, threads, filter. The steps' order is explained in docs/internals/address_space.md. */
import { close, descriptorOf, mostPassed, sendDescriptors } from '../../sys/descriptors.ts';
import { must, SystemCallError } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { arena, MAP_FIXED, MAP_GROWSDOWN, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, scratch } from '../../sys/memory.ts';
import { mappings } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { bodyFilter } from '../../sys/seccomp_filter.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { MappableFile } from './mappable_file.ts';
import type { AddressSpace, MappingImage, StateImage, ThreadImage } from './image.ts';
import { madeAs, specialNames } from './image.ts';
import { writeCloneArguments } from '../task/clone_arguments.ts';
import { decodeRegisters } from './capture.ts';
import { EMFILE } from '../task/spare_descriptors.ts';
import { layout, mapAnonymous, stubLength, type InjectedCall, type Injection, type Stub } from '../task/stub.ts';

const MREMAP_MAYMOVE_FIXED = 3;

/** madvise(2) advice that recreates a VmFlag. */
const adviceOf: Readonly<Record<string, number>> = { wf: 18, dc: 10, dd: 16, hg: 14, nh: 15, mg: 12, sr: 2, rr: 1 };

/** A piece of the new address space that can be mapped by one call. */
interface Span {
  start: number;
  end: number;
  growsDown: boolean;
  file: number;
  offset: number;
  shared: boolean;
  readOnly: boolean;
  protection: number;
  noReserve: boolean;
}

function spans(image: AddressSpace): Span[] {
  const out: Span[] = [];
  for (const m of image.mappings) {
    if (specialNames.has(m.name)) continue;
    const growsDown = m.flags.includes('gd');
    const { protection, noReserve } = madeAs(m);
    const last = out[out.length - 1];
    const joins =
      last &&
      last.end === m.start &&
      m.file < 0 &&
      last.file < 0 &&
      !growsDown &&
      !last.growsDown &&
      last.protection === protection &&
      last.noReserve === noReserve;
    if (joins) last.end = m.end;
    else {
      const { start, end, file, offset, shared, readOnly = false } = m;
      out.push({ start, end, growsDown, file, offset, shared, readOnly, protection, noReserve });
    }
  }
  return out;
}

/** Replaces a blank body's address space by the image's: mapped, but without content and all writable still. */
export function buildAddressSpace(
  stub: Stub,
  session: Injection,
  image: AddressSpace,
  files: readonly MappableFile[],
): void {
  const current = mappings(stub.view).filter((m) => !(m.start >= stub.base && m.end <= stub.base + layout.size));
  const calls: InjectedCall[] = [];
  for (const m of current) if (!specialNames.has(m.name)) calls.push([nr.munmap, m.start, m.end - m.start]);
  calls.push(...moveSpecials(stub, current, image.mappings));
  session.must('clear the body', calls);
  // Those for mappings that cannot be made writable come last.
  const readers = [...new Set(image.mappings.filter(({ readOnly }) => readOnly).map(({ file }) => file))];
  const readable = readers.map((file) => ({ mapDescriptor: files[file].readDescriptor }));
  const descriptors = passDescriptors(stub, session, [...files, ...readable]);
  const layoutCalls = spans(image).map((span): InjectedCall => {
    if (span.file < 0)
      return mapAnonymous(
        span.start,
        span.end - span.start,
        span.protection,
        (span.noReserve ? MAP_NORESERVE : 0) | (span.growsDown ? MAP_GROWSDOWN : 0),
      );
    return [
      nr.mmap,
      span.start,
      span.end - span.start,
      span.protection,
      MAP_FIXED | (span.shared ? MAP_SHARED : MAP_PRIVATE) | (span.noReserve ? MAP_NORESERVE : 0),
      descriptors[span.readOnly ? files.length + readers.indexOf(span.file) : span.file],
      span.offset,
    ];
  });
  session.must('map the body', [...layoutCalls, closeAll]);
}

/** A body holds no descriptor. */
const closeAll: InjectedCall = [nr.close_range, 0, 0xffffffff, 0];

/** vvar and vdso go to their places at home as wholes, through a temporary place since old and new may overlap. */
function moveSpecials(
  stub: Stub,
  current: readonly { start: number; end: number; name: string }[],
  wanted: readonly MappingImage[],
): InjectedCall[] {
  const away: InjectedCall[] = [];
  const back: InjectedCall[] = [];
  let temporary = stub.base + layout.size + 0x10000;
  for (const { start, end, name } of current) {
    if (!specialNames.has(name) || name === '[vsyscall]') continue;
    const target = wanted.find((m) => m.name === name);
    const length = end - start;
    if (!target) {
      away.push([nr.munmap, start, length]);
      continue;
    }
    away.push([nr.mremap, start, length, length, MREMAP_MAYMOVE_FIXED, temporary]);
    back.push([nr.mremap, temporary, length, length, MREMAP_MAYMOVE_FIXED, target.start]);
    temporary += length;
  }
  return [...away, ...back];
}

/** Gives the body descriptors of the engine's file contents, over a socket pair that the body makes. */
export function passDescriptors(stub: Stub, session: Injection, files: readonly { mapDescriptor: number }[]): number[] {
  if (files.length === 0) return [];
  const { memory } = stub;
  session.must('make a socket pair', [[nr.socketpair, 1, 5 /* SOCK_SEQPACKET */, 0, stub.scratchAddress(0)]]);
  const [ours, theirs] = [memory.i32[layout.scratch >> 2], memory.i32[(layout.scratch >> 2) + 1]];
  const socket = must(descriptorOf(stub.view, ours), 'pidfd_getfd', { pid: stub.pid });
  /** Those that have come when the rest cannot. */
  const out: number[] = [];
  try {
    for (let sent = 0; sent < files.length; sent += mostPassed) {
      const part = files.slice(sent, sent + mostPassed).map((file) => file.mapDescriptor);
      sendDescriptors(socket, part);
      out.push(...receiveDescriptors(stub, session, theirs));
      // unix(7): where the limit of open files is reached the message comes without them, or with some.
      if (out.length < sent + part.length) throw new SystemCallError('receive descriptors', -EMFILE, { pid: stub.pid });
    }
    return out.splice(0);
  } finally {
    close(socket);
    session.run([ours, theirs, ...out].map((fd) => [nr.close, fd]));
  }
}

function receiveDescriptors(stub: Stub, session: Injection, socket: number): number[] {
  const { memory } = stub;
  const at = stub.scratchAddress(0);
  // struct msghdr at +0, a byte of data at +56, iovec at +64, control buffer at +96: its header has 16 bytes.
  memory.u8.fill(0, layout.scratch, layout.scratch + 128);
  memory.write64(layout.scratch + 16, at + 64);
  memory.write64(layout.scratch + 24, 1);
  memory.write64(layout.scratch + 32, at + 96);
  memory.write64(layout.scratch + 40, 16 + 4 * mostPassed);
  memory.write64(layout.scratch + 64, at + 56);
  memory.write64(layout.scratch + 72, 1);
  session.must('receive descriptors', [[nr.recvmsg, socket, at, 0]]);
  if (memory.read64(layout.scratch + 40) === 0) return [];
  const first = (layout.scratch + 112) >> 2;
  const count = (memory.read64(layout.scratch + 96) - 16) / 4;
  return Array.from(memory.i32.subarray(first, first + count));
}

const PR_SET_NAME = 15;
const PR_SET_MM = 35;
const PR_SET_MM_MAP = 14;
const PR_SET_NO_NEW_PRIVS = 38;
const limitsAt = scratch(16);

/** Most resource limits must hold before pages arrive: a large stack dies under a small limit. */
export function setLimits(pid: number, limits: readonly [string, string][]): void {
  limits.forEach(([soft, hard], resource) => {
    if (resource !== RLIMIT_AS && resource !== RLIMIT_DATA) setLimit(pid, resource, [BigInt(soft), BigInt(hard)]);
  });
}

/** Limits on memory hold from when the memory is in place: while it is built, all of it is writable. */
export function setMemoryLimits(pid: number, limits: readonly [string, string][], extra = 0): void {
  for (const resource of [RLIMIT_AS, RLIMIT_DATA]) {
    const [soft, hard] = limits[resource];
    setLimit(pid, resource, [withExtra(BigInt(soft), resource, extra), withExtra(BigInt(hard), resource, extra)]);
  }
}

/** The stub's own pages must not count against the program. */
function withExtra(limit: bigint, resource: number, extra: number): bigint {
  return resource === RLIMIT_AS && limit !== unlimited ? limit + BigInt(extra) : limit;
}

export function setLimit(pid: number, resource: number, [soft, hard]: readonly [bigint, bigint]): void {
  // CPU time is counted from home; processes and files are not the body's own.
  if (resource === RLIMIT_CPU || resource === RLIMIT_NPROC || resource === RLIMIT_NOFILE) return;
  arena.u64[limitsAt >> 3] = soft;
  arena.u64[(limitsAt >> 3) + 1] = hard;
  kernel.call(nr.prlimit64, pid, resource, arena.address + limitsAt, 0);
}

const RLIMIT_CPU = 0;
export const RLIMIT_DATA = 2;
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
export const RLIMIT_AS = 9;
const unlimited = 2n ** 64n - 1n;

/** Memory layout and signal actions, except that of the signal `later` if there is one. */
export function setProcessState(
  stub: Stub,
  session: Injection,
  image: StateImage,
  options: { trapAction: boolean; later?: number },
): void {
  const { memory } = stub;
  const at = stub.scratchAddress(0);
  memory.u8.fill(0, layout.scratch, layout.scratch + 256);
  image.layout.forEach((address, i) => memory.write64(layout.scratch + 8 * i, address));
  memory.u32[(layout.scratch + 100) / 4] = 0xffffffff; // exe_fd: none
  setActionTable(stub, image.actions);
  const calls: InjectedCall[] = [[nr.prctl, PR_SET_MM, PR_SET_MM_MAP, at, 104, 0]];
  calls.push(...actionCalls(at + 256).filter(([, signal]) => signal !== options.later));
  // A body needs no escape: it ends with its engine. SIG_IGN would be reset by our breakpoints and stays in the stub.
  const trap = layout.scratch + 256 + 32 * (SIGTRAP - 1);
  if (options.trapAction && memory.u64[trap / 8] !== 1n)
    calls.push([nr.rt_sigaction, SIGTRAP, at + 256 + 32 * (SIGTRAP - 1), 0, 8]);
  session.must('set the memory layout and the signal actions', calls);
}

/** Puts 64 actions at scratch + 256; the program's SIGTRAP action waits in the stub until the stub goes. */
export function setActionTable(stub: Stub, actions: string): void {
  const bytes = Buffer.from(actions, 'base64');
  bytes.copy(stub.memory.buffer, layout.scratch + 256);
  bytes.copy(stub.memory.buffer, layout.trapAction, 32 * (SIGTRAP - 1), 32 * SIGTRAP);
}

/** Sets one action of the table at scratch + 256. */
export function signalActionCall(stub: Stub, signal: number): InjectedCall {
  return [nr.rt_sigaction, signal, stub.scratchAddress(256) + (signal - 1) * 32, 0, 8];
}

const SIGKILL = 9;
const SIGSTOP = 19;
const SIGTRAP = 5;

/** Sets all 64 actions (default ones too) from an array at `address`; SIGTRAP stays ours until the stub goes. */
export function actionCalls(address: number): InjectedCall[] {
  const calls: InjectedCall[] = [];
  for (let signal = 1; signal <= 64; signal++) {
    if (signal !== SIGKILL && signal !== SIGSTOP && signal !== SIGTRAP)
      calls.push([nr.rt_sigaction, signal, address + (signal - 1) * 32, 0, 8]);
  }
  return calls;
}

/** Final protections and flags, once the content is there. */
export function finishingCalls(image: AddressSpace): InjectedCall[] {
  const calls: InjectedCall[] = [];
  for (const m of image.mappings) {
    if (specialNames.has(m.name)) continue;
    const length = m.end - m.start;
    if (m.protection !== madeAs(m).protection) calls.push([nr.mprotect, m.start, length, m.protection]);
    calls.push(...flagCalls(m));
  }
  return calls;
}

export function flagCalls(m: MappingImage): InjectedCall[] {
  const calls: InjectedCall[] = [];
  const length = m.end - m.start;
  for (const flag of m.flags)
    if (adviceOf[flag] !== undefined) calls.push([nr.madvise, m.start, length, adviceOf[flag]]);
  if (m.flags.includes('lo')) calls.push([nr.mlock, m.start, length]);
  return calls;
}

const SECCOMP_SET_MODE_FILTER = 1;
const NEW_LISTENER = 8;
const WAIT_KILLABLE_RECV = 32;
const SYNC_WAKE_UP = 0x40082104;

let lastFilter: { key: string; bytes: Uint8Array } | undefined;

/** The filter of a body. To make it takes longer than to install it, so it is made before the program stands still. */
export function filterFor(stubBase: number, heldSignals: boolean): Uint8Array {
  const key = `${stubBase} ${heldSignals}`;
  if (lastFilter?.key !== key)
    lastFilter = { key, bytes: bodyFilter({ stubBase, stubLength, arch: 'x64', heldSignals }) };
  return lastFilter.bytes;
}

/** Installs the filter; threads made later inherit it. @returns the engine's listener; the body's own is still open */
export function installFilter(stub: Stub, session: Injection, heldSignals: bigint): number {
  const filter = filterFor(stub.base, heldSignals !== 0n);
  const { memory } = stub;
  memory.u8.fill(0, layout.scratch, layout.scratch + 16);
  memory.view.setUint16(layout.scratch, filter.length / 8, true);
  memory.write64(layout.scratch + 8, stub.scratchAddress(64));
  memory.u8.set(filter, layout.scratch + 64);
  const [, inBody] = session.must('install the filter', [
    [nr.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
    [nr.seccomp, SECCOMP_SET_MODE_FILTER, NEW_LISTENER | WAIT_KILLABLE_RECV, stub.scratchAddress(0)],
  ]);
  stub.filtered = true;
  const listener = must(descriptorOf(stub.view, inBody), 'pidfd_getfd of the listener');
  kernel.call(nr.ioctl, listener, SYNC_WAKE_UP, 1);
  return listener;
}

const CAP_CHECKPOINT_RESTORE = 40;

/** Keeps the one capability that clone3 with set_tid needs, in the body's own user namespace; capset(2), version 3. */
function dropCapabilities(stub: Stub): InjectedCall {
  const { memory } = stub;
  const header = 256; // behind what is registered
  const data = header + 16;
  const at = (layout.scratch + header) >> 2;
  memory.u32.fill(0, at, at + 16);
  memory.u32[at] = 0x20080522;
  const high = at + 4 + 3;
  memory.u32[high] = 1 << (CAP_CHECKPOINT_RESTORE - 32); // effective
  memory.u32[high + 1] = 1 << (CAP_CHECKPOINT_RESTORE - 32); // permitted
  return [nr.capset, stub.scratchAddress(header), stub.scratchAddress(data)];
}

/** CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: what makes a task a thread of the same process. */
export const threadFlags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;

/** Bytes for the arguments of one clone3. */
const cloneArguments = 128;

/** Makes more threads with given ids, stopped. */
export function createThreads(stub: Stub, session: Injection, tids: readonly number[]): StoppedTask[] {
  const calls = tids.map((tid, i) =>
    writeCloneArguments(stub, { flags: threadFlags, exitSignal: 0, tid, at: i * cloneArguments }),
  );
  const { results, tasks } = session.clones(calls);
  const failed = results.findIndex((result) => result < 0);
  if (failed >= 0) throw new Error(`Cannot create thread ${tids[failed]}: clone3 gave ${results[failed]}`);
  return tasks;
}

/** Makes one more thread, stopped; with a given id if that is not 0. */
export function createThread(stub: Stub, session: Injection, tid: number, flags = threadFlags): StoppedTask {
  const { result, task } = session.clone(writeCloneArguments(stub, { flags, exitSignal: 0, tid }));
  if (!task) throw new Error(`Cannot create thread ${tid}: clone3 gave ${result}`);
  return task;
}

/** The process's main thread had ended: so does this one, now that the others are there. Ids are then as at home. */
export function endMainThread(stub: Stub, main: StoppedTask, next: StoppedTask): void {
  stub.view = next.tid;
  using session = stub.borrow(main);
  session.exit();
}

/**
 * A thread's name and what it registered with the kernel; every thread must make these calls itself. The last one,
 * sigaltstack, fails with EPERM while the thread runs on that stack: it is the same one then.
 */
export function registrationCalls(stub: Stub, image: ThreadImage): InjectedCall[] {
  const at = stub.scratchAddress(0);
  Buffer.from(image.alternateStack, 'base64').copy(stub.memory.buffer, layout.scratch);
  const flagsWord = (layout.scratch + 8) >> 2;
  const SS_ONSTACK = 1;
  stub.memory.u32[flagsWord] = stub.memory.u32[flagsWord] & ~SS_ONSTACK;
  stub.memory.buffer.write(image.name + '\0', layout.scratch + 32, 'latin1');
  const calls: InjectedCall[] = [
    [nr.set_tid_address, image.clearTid],
    [nr.prctl, PR_SET_NAME, at + 32],
  ];
  if (image.robustList.head) calls.push([nr.set_robust_list, image.robustList.head, image.robustList.length]);
  if (image.rseq) calls.push([nr.rseq, image.rseq.pointer, image.rseq.size, 0, image.rseq.signature]);
  calls.push([nr.sigaltstack, at, 0]);
  return calls;
}

/**
 * Step 3 of a body: sets a stopped thread's registrations and capabilities, which belong to each thread; the first one
 * finishes the mappings. Registers and mask follow by `setThreadContext`.
 */
export function completeThread(stub: Stub, task: StoppedTask, image: ThreadImage, space?: AddressSpace): void {
  using session = stub.borrow(task);
  const first = space ? [...finishingCalls(space), closeAll] : [];
  const calls = [...first, dropCapabilities(stub), ...registrationCalls(stub, image)];
  session.must(`complete thread ${image.tid}`, calls, calls.length - 1);
}

export function setThreadContext(task: StoppedTask, image: ThreadImage): void {
  task.setRegisters(decodeRegisters(image.registers));
  task.setExtendedState(Buffer.from(image.extendedState, 'base64'));
  task.setSignalMask(BigInt('0x' + image.mask));
}
