/**
 * ptrace(2) as typed states: a `RunningTask` can only be interrupted and waited for, a `StoppedTask` can be read,
 * written and resumed. A task belongs to the OS thread that seized it.
 */
import { callWithin } from './alarm.ts';
import { call } from './gate.ts';
import { arena, scratch } from './memory.ts';
import { must, SystemCallError } from './errors.ts';
import { hasEnded } from './procfs.ts';
import { nr } from './x64/numbers.ts';
import { debugRegisters } from './x64/debug_registers.ts';
import { Registers, registerCount } from './x64/registers.ts';

const request = {
  writeUser: 6,
  cont: 7,
  singleStep: 9,
  getRegisters: 12,
  setRegisters: 13,
  detach: 17,
  syscall: 24,
  setOptions: 0x4200,
  getEventMessage: 0x4201,
  getSignalInfo: 0x4202,
  setSignalInfo: 0x4203,
  getRegisterSet: 0x4204,
  setRegisterSet: 0x4205,
  seize: 0x4206,
  interrupt: 0x4207,
  listen: 0x4208,
  getSignalMask: 0x420a,
  setSignalMask: 0x420b,
  peekSignalInfo: 0x4209,
  getRseqConfiguration: 0x420f,
} as const;

/** `calls`: PTRACE_O_TRACESYSGOOD, which tells the stops of `resumeToCall` from signals. */
export const traceOption = { calls: 1, fork: 2, vfork: 4, clone: 8, exec: 16, exit: 64, exitKill: 0x100000 } as const;
export const traceEvent = { fork: 1, vfork: 2, clone: 3, exec: 4, exit: 6, stop: 128 } as const;

const waitAll = 0x40000000; // __WALL
const waitOwnThread = 0x20000000; // __WNOTHREAD
const waitNoHang = 1;
const ntX86Xstate = 0x202;
export const SIGTRAP = 5;
export const ESRCH = 3;
const EINTR = -4;

const statusAt = scratch(8);
const registersAt = scratch(registerCount * 8);
const vectorAt = scratch(16);
const wordsAt = scratch(256);
const xstateAt = scratch(16384);
let extendedStateLength: number | undefined;

/** What waitpid reports about a task. */
export type TaskStatus =
  | { kind: 'stopped'; signal: number; event: number }
  | { kind: 'exited'; code: number }
  | { kind: 'killed'; signal: number; core: boolean };

function decode(status: number): TaskStatus {
  if ((status & 0xff) === 0x7f) return { kind: 'stopped', signal: (status >> 8) & 0xff, event: status >> 16 };
  if ((status & 0x7f) === 0) return { kind: 'exited', code: (status >> 8) & 0xff };
  return { kind: 'killed', signal: status & 0x7f, core: (status & 0x80) !== 0 };
}

/** One pending event of any task that this thread traces (or of its children), without waiting. */
export function reapAny(): { tid: number; status: TaskStatus } | undefined {
  const tid = call(nr.wait4, -1, arena.address + statusAt, waitAll | waitOwnThread | waitNoHang, 0);
  return tid > 0 ? { tid, status: decode(arena.i32[statusAt >> 2]) } : undefined;
}

const endsSeen: { tid: number; status: TaskStatus }[] = [];

/**
 * Ends that somebody has met who waited for a stop (`RunningTask.waitStop`): the kernel tells of each once, and who looks after
 * the task is often another one.
 */
export function takeEndsSeen(): { tid: number; status: TaskStatus }[] {
  return endsSeen.length === 0 ? [] : endsSeen.splice(0);
}

/** A pending event of one task, without waiting. */
export function reap(tid: number): TaskStatus | undefined {
  return call(nr.wait4, tid, arena.address + statusAt, waitAll | waitNoHang, 0) === tid
    ? decode(arena.i32[statusAt >> 2])
    : undefined;
}

function ptrace(operation: keyof typeof request, tid: number, address = 0, data = 0): number {
  return call(nr.ptrace, request[operation], tid, address, data);
}

function mustPtrace(operation: keyof typeof request, tid: number, address = 0, data = 0): number {
  return must(ptrace(operation, tid, address, data), `ptrace ${operation}`, { tid });
}

/** The task ended (or was killed) although it was expected to stop. */
export class TaskEnded extends Error {
  readonly tid: number;
  readonly status: TaskStatus;
  constructor(tid: number, status: TaskStatus) {
    super(`Cannot go on with task ${tid}: it ended (${JSON.stringify(status)})`);
    this.name = 'TaskEnded';
    this.tid = tid;
    this.status = status;
  }
}

/** Whether an error says that a task has ended: SIGKILL, or a relative's execve(2), ends stopped tasks at any moment. */
export function isGone(error: unknown): boolean {
  return error instanceof TaskEnded || (error instanceof SystemCallError && error.errno === ESRCH);
}

/** The task did not stop within the deadline, e.g. because it sleeps uninterruptibly. */
export class StopTimeout extends Error {
  constructor(tid: number, milliseconds: number) {
    super(`Cannot stop task ${tid}: it did not react within ${milliseconds} ms (uninterruptible sleep?)`);
    this.name = 'StopTimeout';
  }
}

const pauseAt = scratch(16);
/** Sleeps, this thread and all that it serves. */
export function nap(microseconds: number): void {
  arena.write64(pauseAt, 0);
  arena.write64(pauseAt + 8, microseconds * 1000);
  call(nr.nanosleep, arena.address + pauseAt, 0);
}

/**
 * The end of a main thread while others of its process live: it stays as a zombie, and is not reported before they have
 * ended too (kernel/exit.c, delay_group_leader).
 */
export const endedUnreported: TaskStatus = { kind: 'exited', code: 0 };

/**
 * How long to look for a task's event before sleeping until it comes, milliseconds. Looking is faster where the task runs
 * on another CPU, by the time that waking up takes; where both share one, it only keeps the task from running.
 */
const lookMilliseconds = 0.06;
/** After a look in vain the next ones are left out, but for each of so many: the task may have a CPU to itself again. */
const lookAgainAfter = 16;
let looksLeftOut = 0;
let lookingPays = true;

function look(tid: number): TaskStatus | undefined {
  if (!lookingPays && ++looksLeftOut < lookAgainAfter) return reap(tid);
  looksLeftOut = 0;
  const until = performance.now() + lookMilliseconds;
  for (;;) {
    const status = reap(tid);
    lookingPays = status !== undefined;
    if (status || performance.now() > until) return status;
  }
}

/**
 * Between two looks whether a task has ended unreported, milliseconds. A first sleep that ends before the CPU's next tick
 * makes the kernel set its clock anew, for each wait.
 */
const shortestSleep = 10;
const longestSleep = 50;

/** Waits for a task's next event; undefined when none comes in time. Nothing else of this thread goes on meanwhile. */
export function eventWithin(tid: number, milliseconds: number): TaskStatus | undefined {
  const giveUp = performance.now() + milliseconds;
  let status = look(tid);
  for (let sleep = shortestSleep; !status; sleep = Math.min(2 * sleep, longestSleep)) {
    const left = giveUp - performance.now();
    if (left <= 0) return undefined;
    status = sleepUntilEvent(tid, Math.min(sleep, left));
    if (!status && hasEnded(tid)) status = reap(tid) ?? endedUnreported;
  }
  return status;
}

function sleepUntilEvent(tid: number, milliseconds: number): TaskStatus | undefined {
  const giveUp = performance.now() + milliseconds;
  return callWithin(milliseconds, () => {
    for (;;) {
      const got = call(nr.wait4, tid, arena.address + statusAt, waitAll, 0);
      if (got === tid || performance.now() >= giveUp) return got;
      if (got !== EINTR) throw new SystemCallError('wait for a stop', got, { tid });
    }
  }) === tid
    ? decode(arena.i32[statusAt >> 2])
    : undefined;
}

export class RunningTask {
  readonly tid: number;

  constructor(tid: number) {
    this.tid = tid;
  }

  /** Attaches without stopping. @returns the error when that is not possible (ESRCH: gone; EPERM: traced already) */
  static seize(tid: number, options: number): RunningTask | SystemCallError {
    const result = ptrace('seize', tid, 0, options);
    return result < 0 ? new SystemCallError('ptrace seize', result, { tid }) : new RunningTask(tid);
  }

  /** Asks for a stop; false when the task is gone. */
  interrupt(): boolean {
    return ptrace('interrupt', this.tid) >= 0;
  }

  /** Waits for the next stop. @throws TaskEnded, StopTimeout */
  waitStop(milliseconds = 5000): StoppedTask {
    const status = eventWithin(this.tid, milliseconds);
    if (!status) throw new StopTimeout(this.tid, milliseconds);
    if (status.kind !== 'stopped') {
      endsSeen.push({ tid: this.tid, status });
      throw new TaskEnded(this.tid, status);
    }
    return new StoppedTask(this.tid, status.signal, status.event);
  }
}

export interface RseqConfiguration {
  pointer: number;
  size: number;
  signature: number;
  flags: number;
}

export class StoppedTask {
  readonly tid: number;
  /** The signal of the stop; with `event` 0 it is about to be delivered. */
  readonly signal: number;
  readonly event: number;

  constructor(tid: number, signal: number, event: number) {
    this.tid = tid;
    this.signal = signal;
    this.event = event;
  }

  setOptions(options: number): void {
    mustPtrace('setOptions', this.tid, 0, options);
  }

  registers(): Registers {
    mustPtrace('getRegisters', this.tid, 0, arena.address + registersAt);
    return new Registers(arena.u64.slice(registersAt >> 3, (registersAt >> 3) + registerCount));
  }

  setRegisters(registers: Registers): void {
    arena.u64.set(registers.words, registersAt >> 3);
    mustPtrace('setRegisters', this.tid, 0, arena.address + registersAt);
  }

  /** FPU, SSE, AVX … state in the kernel's xsave layout. */
  extendedState(): Uint8Array {
    arena.write64(vectorAt, arena.address + xstateAt);
    arena.write64(vectorAt + 8, 16384);
    mustPtrace('getRegisterSet', this.tid, ntX86Xstate, arena.address + vectorAt);
    return arena.u8.slice(xstateAt, xstateAt + arena.read64(vectorAt + 8));
  }

  /** The state may come from a CPU with more or fewer components; the kernel refuses one in use that this CPU lacks. */
  setExtendedState(bytes: Uint8Array): void {
    // The kernel takes no other, which is the same for all tasks (xstateregs_set in arch/x86/kernel/fpu/regset.c).
    const length = (extendedStateLength ??= this.extendedState().length);
    arena.u8.fill(0, xstateAt, xstateAt + length);
    arena.u8.set(bytes.subarray(0, length), xstateAt);
    arena.write64(vectorAt, arena.address + xstateAt);
    arena.write64(vectorAt + 8, length);
    mustPtrace('setRegisterSet', this.tid, ntX86Xstate, arena.address + vectorAt);
  }

  signalMask(): bigint {
    mustPtrace('getSignalMask', this.tid, 8, arena.address + wordsAt);
    return arena.u64[wordsAt >> 3];
  }

  setSignalMask(mask: bigint): void {
    arena.u64[wordsAt >> 3] = mask;
    mustPtrace('setSignalMask', this.tid, 8, arena.address + wordsAt);
  }

  /** The 128 bytes of siginfo of a signal-delivery stop. */
  signalInfo(): Uint8Array {
    mustPtrace('getSignalInfo', this.tid, 0, arena.address + wordsAt);
    return arena.u8.slice(wordsAt, wordsAt + 128);
  }

  /** Changes what the signal of a signal-delivery stop tells. */
  setSignalInfo(info: Uint8Array): void {
    arena.u8.set(info.subarray(0, 128), wordsAt);
    mustPtrace('setSignalInfo', this.tid, 0, arena.address + wordsAt);
  }

  /** Signals that wait for this thread, or (`shared`) for its process: 128 bytes of siginfo each, oldest first. */
  pendingSignals(shared: boolean): Uint8Array[] {
    const out: Uint8Array[] = [];
    const PEEK_SHARED = 1;
    for (;;) {
      // struct ptrace_peeksiginfo_args: u64 offset, u32 flags, s32 count.
      arena.write64(wordsAt, out.length);
      arena.u32[(wordsAt >> 2) + 2] = shared ? PEEK_SHARED : 0;
      arena.u32[(wordsAt >> 2) + 3] = 1;
      if (ptrace('peekSignalInfo', this.tid, arena.address + wordsAt, arena.address + wordsAt + 64) <= 0) return out;
      out.push(arena.u8.slice(wordsAt + 64, wordsAt + 192));
    }
  }

  /** The new task's id at a fork, vfork or clone event. */
  eventMessage(): number {
    mustPtrace('getEventMessage', this.tid, 0, arena.address + wordsAt);
    return arena.read64(wordsAt);
  }

  /** The registered rseq area, or undefined when there is none or the kernel cannot say (before 5.13). */
  rseq(): RseqConfiguration | undefined {
    if (ptrace('getRseqConfiguration', this.tid, 24, arena.address + wordsAt) < 0) return undefined;
    const pointer = arena.read64(wordsAt);
    if (pointer === 0) return undefined;
    const word = wordsAt >> 2;
    return { pointer, size: arena.u32[word + 2], signature: arena.u32[word + 3], flags: arena.u32[word + 4] };
  }

  /** Resumes, delivering `signal` when it is not 0. A task that is gone is reported by the next wait. */
  resume(signal = 0): RunningTask {
    ptrace('cont', this.tid, 0, signal);
    return new RunningTask(this.tid);
  }

  /** Resumes up to where the next system call begins or ends, delivering `signal` when it is not 0. */
  resumeToCall(signal = 0): RunningTask {
    ptrace('syscall', this.tid, 0, signal);
    return new RunningTask(this.tid);
  }

  /** It stopped where a call begins or ends. */
  get atCall(): boolean {
    return this.signal === (SIGTRAP | 0x80) && this.event === 0;
  }

  /** Executes one instruction, delivering `signal` when it is not 0, and stops again. @throws TaskEnded, StopTimeout */
  step(signal = 0): StoppedTask {
    mustPtrace('singleStep', this.tid, 0, signal);
    return new RunningTask(this.tid).waitStop();
  }

  /**
   * From now on it stops with SIGTRAP before it executes one of these instructions, of which a CPU can watch a few; none:
   * no longer. @returns whether that is possible here
   */
  setBreakpoints(addresses: readonly number[]): boolean {
    const { offsetOf, control, executionOf } = debugRegisters;
    if (ptrace('writeUser', this.tid, offsetOf(control), 0) < 0) return false;
    const set = addresses.every((address, i) => ptrace('writeUser', this.tid, offsetOf(i), address) >= 0);
    return set && ptrace('writeUser', this.tid, offsetOf(control), executionOf(addresses.length)) >= 0;
  }

  /** The signal of the group stop that the task is in; 0 in any other stop. The kernel is asked: it alone knows. */
  groupStop(): number {
    if (ptrace('getSignalInfo', this.tid, 0, arena.address + wordsAt) < 0) return 0;
    const code = arena.i32[(wordsAt >> 2) + 2]; // in an event stop: the signal and, above it, the event
    const signal = code & 0xff;
    return code >> 8 === traceEvent.stop && signal !== SIGTRAP ? signal : 0;
  }

  /** Leaves a group-stopped task stopped, but lets it see SIGCONT. */
  listen(): RunningTask {
    ptrace('listen', this.tid);
    return new RunningTask(this.tid);
  }

  detach(signal = 0): void {
    ptrace('detach', this.tid, 0, signal);
  }
}
