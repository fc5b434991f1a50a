/** One thread of a deputy: its slot, and the request that it is making. */
import type { WireRequest } from '../../wire/call_messages.ts';
import type { RequestMemory } from './request_buffers.ts';

export interface PendingRequest {
  id: number;
  wire: WireRequest;
  /** The arguments, with addresses in this process. */
  args: readonly bigint[];
  /** Offsets of the buffers in the request's memory. */
  offsets: number[];
  memory: RequestMemory;
  large: { address: number; total: number } | undefined;
  /** What is to be cleared away when the call has returned. */
  returned?: () => void;
  /** When the program's call began (performance.now()). */
  began: number;
  /** How long it waits in all, nanoseconds, once that was looked up. */
  total?: bigint;
  /** Its time is over: it ends as timed out. */
  expired?: true;
}

/** A request without buffers. */
export function plainRequest(call: {
  id: number;
  tid: number;
  number: number;
  args: bigint[];
  memory: RequestMemory;
}): PendingRequest {
  const { id, tid, number, args, memory } = call;
  const wire = { tid, nr: number, args, large: false, buffers: [], pointers: [], waited: 0, blocked: 0, data: 0 };
  return { id, wire, args, offsets: [], memory, large: undefined, began: performance.now() };
}

export class DeputyThread {
  readonly tid: number;
  readonly slot: number;
  request: PendingRequest | undefined;
  /** Memory mapped for the large transfer that is being received. */
  large: { id: number; address: number; total: number } | undefined;
  interruptWanted = false;
  /** An interrupt of ours is on its way to it, or in it. */
  beingStopped = false;
  /** Calls off the end of the request's time. */
  cancelExpiry: (() => void) | undefined;
  /** A process that borrows the memory until it executes a program or ends (vfork). */
  readonly lodger: boolean;
  /** A lodger's body was acted on by this signal: so is the lodger when the signal arrives. */
  takes = 0;

  constructor(tid: number, slot: number, lodger: boolean) {
    this.tid = tid;
    this.slot = slot;
    this.lodger = lodger;
  }

  /** Whether a signal that arrives is the one that acts here. */
  takesNow(signal: number): boolean {
    const taken = this.takes === signal;
    if (taken) this.takes = 0;
    return taken;
  }
}
