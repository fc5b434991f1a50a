/** What the special calls need of a body. */
import type { Injection, Stub } from './stub.ts';
import type { StoppedTask } from '../sys/ptrace.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyThread } from './body_thread.ts';
import type { GuestLink } from './link.ts';

/** A private file mapping that the program asks for. */
export interface FileMapping {
  address: number;
  length: number;
  protection: number;
  flags: number;
  fd: number;
  offset: number;
}

export interface BodyHost {
  readonly pid: number;
  /** The process id as the hosting node sees it. */
  readonly hostPid: number;
  readonly stub: Stub;
  readonly link: GuestLink;
  readonly threads: readonly BodyThread[];
  readonly limits: [string, string][];
  /** Mask of the signals that wait at home. */
  readonly heldSignals: bigint;
  /** CPU time that process and threads had used before they came here, nanoseconds. */
  readonly cpuBase: number;
  readonly threadCpuBase: ReadonlyMap<number, number>;
  forward(thread: BodyThread, call: BodyCall): void;
  request(thread: BodyThread, type: number, value: unknown, onResult: (result: number) => void): void;
  finish(thread: BodyThread, call: BodyCall, result: number): void;
  letThrough(thread: BodyThread, call: BodyCall): void;
  takeOver(thread: BodyThread, call: BodyCall, work: (session: Injection) => number): void;
  comeHome(thread: BodyThread, reason: string): void;
  mapFile(thread: BodyThread, call: BodyCall, mapping: FileMapping): void;
  addThread(tid: number, hostTid: number): BodyThread;
  resumeNew(task: StoppedTask): void;
  letSignal(thread: BodyThread, call: BodyCall, signal: { signal: number; tid: number }): void;
  write(address: number, bytes: Uint8Array): boolean;
}

/** A call that the body's engine treats in a way of its own. */
export type SpecialCall = (body: BodyHost, thread: BodyThread, call: BodyCall) => void;
