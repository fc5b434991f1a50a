/** What a body is made of, tells, and offers to the special calls. */
import type { CallStatistics } from '../image/call_statistics.ts';
import type { Injection, Stub } from '../task/stub.ts';
import type { StoppedTask, TaskStatus } from '../../sys/ptrace.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyThread } from './body_thread.ts';
import type { Family } from './family.ts';
import type { CpuBase, ProcessImage } from '../image/image.ts';
import type { GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import type { BodySignals } from './body_signals.ts';
import type { BodyTimers } from './body_timers.ts';

/** A private file mapping that the program asks for. */
export interface FileMapping {
  address: number;
  length: number;
  protection: number;
  flags: number;
  fd: number;
  offset: number;
}

/** A process that a body's thread has made; its task is stopped. */
export interface Birth {
  pid: number;
  /** Number of its link on the family's connection. */
  channel: number;
  task: StoppedTask;
  stub: Stub;
}

/** System V shared memory that the program wants to attach, by its id; `flags` as for shmat(2). */
export interface SegmentWish {
  id: number;
  flags: number;
}

/** Memory that is shared, of which others than the body may have to hear. */
export interface SharedMemory {
  /** A child would share some of it. */
  readonly sharesMemory: boolean;
  /** The program has mapped anonymous memory shared. */
  noteSharedMemory(): void;
  /** Home gets what has changed in files; `always`: even if that costs more than a call. */
  writeBack(always?: boolean): void;
  /** The bytes of the System V segment behind a mapping of this host; undefined if it is none. */
  segmentSize(inode: number): number | undefined;
  /** Home attaches the segment, and then the body does. */
  attach(thread: BodyThread, call: BodyCall, wish: SegmentWish): void;
}

export interface BodyHost {
  readonly pid: number;
  /** A thread by which the hosting node shows the body's memory: the main one, while that lives. */
  readonly hostPid: number;
  readonly stub: Stub;
  readonly link: GuestLink;
  readonly loop: Loop;
  readonly shared: SharedMemory;
  readonly threads: readonly BodyThread[];
  /** How many signals home has passed on by now. */
  readonly signals: Pick<BodySignals, 'received' | 'queueInto'>;
  readonly limits: [string, string][];
  /** Mask of the signals that wait at home. */
  readonly heldSignals: bigint;
  /** Some of its memory is a copy of what it shares with home's kernel (io_uring). */
  readonly rings: boolean;
  /** CPU time that process and threads had used before they came here, nanoseconds. */
  readonly cpuBase: CpuBase;
  readonly calls: CallStatistics;
  readonly threadCpuBase: ReadonlyMap<number, CpuBase>;
  readonly timers: BodyTimers;
  readonly returning: boolean;
  /** Nothing of it runs: it is stopped, or on its way home. */
  readonly still: boolean;
  /** Home is to end the call of a thread. */
  interruptCall(thread: BodyThread): void;
  forward(thread: BodyThread, call: BodyCall): void;
  request(thread: BodyThread, type: number, value: unknown, onResult: (result: number) => void): void;
  /** As `request`, for an answer that is more than a number. */
  ask<T>(thread: BodyThread, type: number, value: unknown, onAnswer: (answer: T) => void): void;
  born(birth: Birth): void;
  finish(thread: BodyThread, call: BodyCall, result: number): void;
  /** Answers the kernel's notification. */
  respond(call: BodyCall, result: number): void;
  letThrough(thread: BodyThread, call: BodyCall): void;
  letEnd(thread: BodyThread, call: BodyCall): void;
  takeOver(thread: BodyThread, call: BodyCall, work: (session: Injection) => number): void;
  comeHome(thread: BodyThread, reason: string): void;
  mapFile(thread: BodyThread, call: BodyCall, mapping: FileMapping): void;
  addThread(tid: number, hostTid: number, lodger?: boolean): BodyThread;
  resumeNew(task: StoppedTask): void;
  /** A thread was stopped on purpose, and goes on. */
  stopped(thread: BodyThread, stop: StoppedTask): void;
  letSignal(thread: BodyThread, call: BodyCall, signal: { signal: number; tid: number }): void;
  write(address: number, bytes: Uint8Array): boolean;
}

/** A call that the body's engine treats in a way of its own. */
export type SpecialCall = (body: BodyHost, thread: BodyThread, call: BodyCall) => void;

export interface BodyEvents {
  mapFile(thread: BodyThread, call: BodyCall, mapping: FileMapping): void;
  /** A thread made a process. */
  born(birth: Birth): void;
  /** The process must go home. */
  comeHome(reason: string): void;
  /** The body is no more. */
  ended(status: TaskStatus): void;
}

export interface BodyOptions {
  pid: number;
  stub: Stub;
  link: GuestLink;
  loop: Loop;
  family: Family;
  shared: SharedMemory;
  /** Home's CLOCK_MONOTONIC less this host's, nanoseconds. */
  homeIsAhead: bigint;
  events: BodyEvents;
  /** What the process brings along. */
  image: Pick<ProcessImage, 'limits' | 'heldSignals' | 'rings' | 'cpuTime' | 'cpuTimeAway' | 'threads' | 'timers'>;
}
