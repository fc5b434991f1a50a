/** One thread of a deputy: its slot, and the request that it is making. */
import type { WireRequest } from '../wire/call_messages.ts';
import type { RequestMemory } from './request_buffers.ts';

export interface PendingRequest {
  id: number;
  wire: WireRequest;
  /** Offsets of the buffers in the request's memory. */
  offsets: number[];
  memory: RequestMemory;
  large: { address: number; total: number } | undefined;
  /** What is to be cleared away when the call has returned. */
  returned?: () => void;
}

export class DeputyThread {
  readonly tid: number;
  readonly slot: number;
  request: PendingRequest | undefined;
  /** Memory mapped for the large transfer that is being received. */
  large: { id: number; address: number; total: number } | undefined;
  interruptWanted = false;
  /** A process that borrows the memory until it executes a program or ends (vfork). */
  readonly lodger: boolean;

  constructor(tid: number, slot: number, lodger: boolean) {
    this.tid = tid;
    this.slot = slot;
    this.lodger = lodger;
  }
}
