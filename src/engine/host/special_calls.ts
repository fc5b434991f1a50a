/** Calls of a body that are neither plainly local nor plainly forwarded. */
import { wireBuffers, type BodyCall } from './body_call.ts';
import { isProcSelf, type BufferPlan } from '../../sys/marshal.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { peek } from '../../sys/remote_memory.ts';
import { canNameThreads } from '../../sys/descriptors.ts';
import { frameType } from '../../wire/frames.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import { heldSignalCalls } from './held_signals.ts';
import { bitOf } from '../image/pending_signals.ts';
import type { BodyThread } from './body_thread.ts';
import { cloneCalls } from './clone_calls.ts';
import { executeCalls } from './execute_call.ts';
import { forwardThen, plainForward } from './forwarded_calls.ts';
import { waitWithMask } from './masked_waits.ts';
import { goOn, waitForSignal } from './resumed_waits.ts';
import { tellUse } from './body_use.ts';
import { cpuTimeOfProcess, cpuTimeOfThread } from '../image/capture.ts';
import { RLIMIT_AS, RLIMIT_DATA, setLimit, setMemoryLimits } from '../image/restore.ts';
import { layout } from '../task/stub.ts';
import { terminalCalls } from './terminal_calls.ts';
import { segmentCalls } from './segment_calls.ts';
import { timerCalls } from './timer_calls.ts';
import { twoStepCalls } from './two_step_calls.ts';

const SIGTRAP = 5;
/** Signals whose action the home kernel acts on by itself (children, job control). */
const mirroredActions: ReadonlySet<number> = new Set([17, 21, 22]);

const specials: Readonly<Record<string, SpecialCall>> = {
  exit: (body, thread, call) => {
    if (thread.tid === body.pid && !canNameThreads) return body.comeHome(thread, 'its main thread ends');
    body.letEnd(thread, call);
    body.link.sendJson(frameType.threadEnded, { tid: thread.tid, code: Number(call.args[0] & 0xffn) });
  },
  exit_group: (body, thread, call) => {
    body.shared.writeBack(true);
    tellUse(body.link, body); // home ends first, and then nobody listens any more
    plainForward(body, thread, call);
  },
  ...heldSignalCalls,
  ...timerCalls,
  ...terminalCalls,
  ...twoStepCalls,
  ...segmentCalls,
  rt_sigtimedwait: waitForSignal,
  kill: (body, thread, call) => signalSelf(body, thread, call, { process: 0, thread: -1, signal: 1 }),
  tkill: (body, thread, call) => signalSelf(body, thread, call, { process: -1, thread: 0, signal: 1 }),
  tgkill: (body, thread, call) => signalSelf(body, thread, call, { process: 0, thread: 1, signal: 2 }),
  rt_sigqueueinfo: (body, thread, call) => signalSelf(body, thread, call, { process: 0, thread: -1, signal: 1 }),
  rt_tgsigqueueinfo: (body, thread, call) => signalSelf(body, thread, call, { process: 0, thread: 1, signal: 2 }),
  ppoll: waitWithMask,
  pselect6: waitWithMask,
  epoll_pwait: waitWithMask,
  epoll_pwait2: waitWithMask,
  restart_syscall: goOn,
  prlimit64: limits,
  setrlimit: limits,
  getrusage: (body, thread, call) => {
    const who = Number(BigInt.asIntN(32, call.args[0]));
    const used = who === 0 ? usedAway(body) : who === 1 ? usedAwayBy(body, thread) : 0;
    forwardThen(body, thread, call, (result) => {
      if (result === 0) addTime(body, Number(call.args[1]), used);
      return result;
    });
  },
  times: (body, thread, call) => {
    const ticks = BigInt(Math.round(usedAway(body) / 1e7));
    forwardThen(body, thread, call, (result) => {
      const bytes = Buffer.from(peek(body.hostPid, Number(call.args[0]), 8));
      if (call.args[0] !== 0n && bytes.length === 8) {
        bytes.writeBigInt64LE(bytes.readBigInt64LE() + ticks);
        body.write(Number(call.args[0]), bytes);
      }
      return result;
    });
  },
  prctl: (body, thread, call) => {
    const PR_SET_NAME = 15;
    if (call.args[0] !== BigInt(PR_SET_NAME)) return body.comeHome(thread, `prctl option ${call.args[0]}`);
    // Both halves carry the name: tools at home see the deputy.
    const plan: BufferPlan[] = [
      { argument: 1, address: Number(call.args[1]), length: 16, direction: 'in', filled: 'whole', unit: 1 },
    ];
    body.forward(thread, {
      ...call,
      plan,
      wire: wireBuffers(plan),
      onResult: () => body.letThrough(thread, thread.call!),
    });
  },
  rt_sigaction: (body, thread, call) => {
    const signal = Number(call.args[0] & 0xffffffffn);
    const action = Number(call.args[1]);
    if (signal === SIGTRAP) return trapAction(body, thread, call);
    if (action === 0 || !mirroredActions.has(signal)) return body.letThrough(thread, call);
    const bytes = peek(body.hostPid, action, 32);
    if (bytes.length < 32) return body.letThrough(thread, call);
    body.request(
      thread,
      frameType.mirrorAction,
      { tid: thread.tid, signal, action: Buffer.from(bytes).toString('base64') },
      () => body.letThrough(thread, call),
    );
  },
  ...cloneCalls,
  ...executeCalls,
  mmap: (body, thread, call) => mapFile(body, thread, call),
  msync: (body, thread, call) => {
    // The kernel here knows whether the range is one; the memory behind it is written to the files at home.
    body.shared.writeBack(true);
    if (!(Number(call.args[2]) & MS_SYNC)) return body.letThrough(thread, call);
    body.request(thread, frameType.syncFiles, {}, () => body.letThrough(thread, call));
  },
  mbind: (body, thread, call) => {
    // An empty set of nodes is the same on every machine; which other memory may be moved depends on rights at home.
    const [, , , nodes, , flags] = sixNumbers(call);
    if (nodes !== 0 || flags & MPOL_MF_MOVE_ALL) return body.comeHome(thread, 'mbind');
    body.letThrough(thread, call);
  },
  clock_gettime: (body, thread, call) => {
    const clock = Number(BigInt.asIntN(32, call.args[0]));
    if (clock !== 2 && clock !== 3) return body.comeHome(thread, `clock ${clock}`);
    const nanoseconds =
      clock === 2
        ? body.cpuBase.all + cpuTimeOfProcess(body.stub.pid)
        : (body.threadCpuBase.get(thread.tid)?.all ?? 0) + cpuTimeOfThread(thread.hostTid);
    body.finish(thread, call, writeTimespec(body, Number(call.args[1]), nanoseconds));
  },
};

/** CPU time that the home kernel, which answers first, does not know; nanoseconds. */
function usedAway(body: BodyHost): number {
  return body.cpuBase.away + cpuTimeOfProcess(body.stub.pid);
}

function usedAwayBy(body: BodyHost, thread: BodyThread): number {
  return (body.threadCpuBase.get(thread.tid)?.away ?? 0) + cpuTimeOfThread(thread.hostTid);
}

/**
 * The default action and handlers are no obstacle to our breakpoints, which act before them; shells set one when they
 * start. To ignore the signal would be one: where the program does, the kernel here has the escape and the stub knows better.
 */
function trapAction(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const [, address, old, size] = call.args;
  const ignored = body.stub.ignoresTrap(thread.hostTid);
  if (address !== 0n) {
    const bytes = Buffer.from(peek(body.hostPid, Number(address), 32));
    const SIG_IGN = 1n;
    const ignores = bytes.length < 32 || bytes.readBigUInt64LE(0) === SIG_IGN;
    if (ignores || (ignored && old !== 0n)) return body.comeHome(thread, 'it ignores SIGTRAP');
    if (!thread.lodger && size === 8n) body.stub.memory.u8.set(bytes, layout.trapAction);
  } else if (ignored && old !== 0n && size === 8n) {
    const action = body.stub.memory.u8.slice(layout.trapAction, layout.trapAction + 32);
    return body.finish(thread, call, body.write(Number(old), action) ? 0 : -14);
  }
  body.letThrough(thread, call);
}

/** Which arguments of a call that sends a signal say what; -1: it has no such argument. */
interface SignalArguments {
  process: number;
  thread: number;
  signal: number;
}

const SIGKILL = 9;
const SIGSTOP = 19;

/**
 * A signal to the process itself or one of its threads is sent here, where it acts, by the program's own call: it must
 * have acted when the call returns. (The ids are registers: nobody can change them under the check.) Signals to others,
 * and those that nothing can catch, go home.
 */
function signalSelf(body: BodyHost, thread: BodyThread, call: BodyCall, at: SignalArguments): void {
  const number = (index: number): number => Number(BigInt.asIntN(32, call.args[index]));
  const signal = number(at.signal);
  const own =
    (at.process < 0 || number(at.process) === body.pid) &&
    (at.thread < 0 || body.threads.some((t) => t.tid === number(at.thread)));
  const held = signal > 0 && (body.heldSignals & bitOf(signal)) !== 0n;
  if (!own || held || thread.lodger || signal <= 0 || signal > 64 || signal === SIGKILL || signal === SIGSTOP)
    return plainForward(body, thread, call);
  body.letSignal(thread, call, { signal, tid: at.thread < 0 ? 0 : number(at.thread) });
}

/** Adds CPU time to the struct timeval at an address (ru_utime is the first field of struct rusage). */
function addTime(body: BodyHost, address: number, nanoseconds: number): void {
  const bytes = Buffer.from(peek(body.hostPid, address, 16));
  if (bytes.length < 16) return;
  const microseconds =
    bytes.readBigInt64LE(0) * 1_000_000n + bytes.readBigInt64LE(8) + BigInt(Math.round(nanoseconds / 1000));
  bytes.writeBigInt64LE(microseconds / 1_000_000n, 0);
  bytes.writeBigInt64LE(microseconds % 1_000_000n, 8);
  body.write(address, bytes);
}

/** Limits that hold where the body is are set in both places; a limit on address space does not count our own pages. */
function limits(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const old = nameOf(call.nr) === 'setrlimit';
  const [target, resource, next, previous] = old
    ? [0, Number(call.args[0]), call.args[1], 0n]
    : [Number(BigInt.asIntN(32, call.args[0])), Number(call.args[1]), call.args[2], call.args[3]];
  if ((target !== 0 && target !== body.pid) || thread.lodger) return plainForward(body, thread, call);
  const wanted = next === 0n ? undefined : Buffer.from(peek(body.hostPid, Number(next), 16));
  const before = body.limits[resource];
  forwardThen(body, thread, call, (result) => {
    if (result !== 0 || !before) return result;
    if (previous !== 0n && (resource === RLIMIT_AS || resource === RLIMIT_DATA)) {
      const bytes = Buffer.alloc(16);
      bytes.writeBigUInt64LE(BigInt(before[0]), 0);
      bytes.writeBigUInt64LE(BigInt(before[1]), 8);
      if (!body.write(Number(previous), bytes)) return -14;
    }
    if (wanted?.length === 16) {
      body.limits[resource] = [String(wanted.readBigUInt64LE(0)), String(wanted.readBigUInt64LE(8))];
      if (resource === RLIMIT_AS || resource === RLIMIT_DATA) setMemoryLimits(body.hostPid, body.limits, layout.size);
      else setLimit(body.hostPid, resource, [wanted.readBigUInt64LE(0), wanted.readBigUInt64LE(8)]);
    }
    return result;
  });
}

export function specialCall(body: BodyHost, thread: BodyThread, call: BodyCall, name: string): void {
  const special = specials[name];
  if (special) special(body, thread, call);
  else body.comeHome(thread, name);
}

function writeTimespec(body: BodyHost, address: number, nanoseconds: number): number {
  const words = new DataView(new ArrayBuffer(16));
  words.setBigInt64(0, BigInt(Math.floor(nanoseconds / 1e9)), true);
  words.setBigInt64(8, BigInt(Math.floor(nanoseconds % 1e9)), true);
  return body.write(address, new Uint8Array(words.buffer)) ? 0 : -14;
}

const MPOL_MF_MOVE_ALL = 4;
const MS_SYNC = 4;
const MAP_PRIVATE = 2;
const MAP_TYPE = 15;
const MAP_ANONYMOUS = 0x20;

/** MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_STACK, MAP_FIXED_NOREPLACE: they mean the same here. */
const harmlessFlags = 0x1 | 0x10 | 0x20 | 0x4000 | 0x8000 | 0x20000 | 0x100000;

/** A mapping of a file: its content comes from home (or from the cache here) and is mapped like any other. */
function mapFile(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const [address, length, protection, flags, fd, offset] = sixNumbers(call);
  if (flags & MAP_ANONYMOUS) {
    const shared = (flags & MAP_TYPE) !== MAP_PRIVATE;
    if (!shared || (flags & ~harmlessFlags) !== 0 || thread.lodger)
      return body.comeHome(thread, `it maps memory with flags ${flags.toString(16)}`);
    body.shared.noteSharedMemory();
    return body.letThrough(thread, call);
  }
  if (thread.lodger) return body.comeHome(thread, 'it maps a file behind vfork');
  body.mapFile(thread, call, { address, length, protection, flags, fd: fd | 0, offset });
}

/** Whether a path leads to the process's own entries in /proc, where the deputy's would be found. */
export function looksAtItself(body: BodyHost, address: number, length: number): boolean {
  const path = Buffer.from(peek(body.hostPid, address, length))
    .toString('latin1')
    .replace(/\0.*$/, '');
  return path.startsWith('/proc') && isProcSelf(path, body.pid, ...body.threads.map((t) => t.tid));
}

type SixNumbers = [number, number, number, number, number, number];

function sixNumbers(call: BodyCall): SixNumbers {
  const number = (index: number): number => Number(call.args[index] ?? 0n);
  return [number(0), number(1), number(2), number(3), number(4), number(5)];
}
