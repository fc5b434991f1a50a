/** What engine main thread and workers say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { CallCounts } from './image/call_statistics.ts';
import type { Peer } from './image/departure_types.ts';

export interface WorkerSettings {
  index: number;
  /** It is to have a CPU when it needs one, before the programs: those that move wait for it. */
  preferred: boolean;
  node: string;
  /** Where mosd keeps this node's identity. */
  stateDir: string;
  runDir: string;
  /** Listening socket for guest links, shared by all workers. */
  listener: number;
  /** eventfd that says "look at your port". */
  wake: number;
  childEvents: number;
  port: MessagePort;
}

export type WorkerRequest =
  | { id: number; op: 'migrate' | 'onward'; pid: number; to: Peer }
  /** A connection that another worker has accepted. */
  | { id: number; op: 'attach'; fd: number; from: string; ticket: string }
  | { id: number; op: 'home' | 'release' | 'calls'; pid: number }
  | { id: number; op: 'ping'; to: Peer }
  /** Guests are sent home, and whoever comes is refused while there is a reason to. */
  | { id: number; op: 'expel'; reason: string }
  | { id: number; op: 'doors'; closed: string | undefined }
  | { id: number; op: 'list' | 'leave' };

export interface ReturnedProcess {
  pid: number;
  uid: number;
  comm: string;
  from: string;
  reason: string;
  calls: CallCounts;
  /** CPU time used away, milliseconds. */
  cpuMs: number;
  /** "home", "executed" (at home, as another program) or "ended". */
  how: string;
}

export type WorkerReply =
  | { id: number; result: unknown }
  | { id: number; error: { code: string; message: string } }
  | { id: number; progress: { phase: string; bytes: number; total: number } }
  | { log: string; fields: Readonly<Record<string, unknown>> }
  /** A process is away now; it may have been born so. */
  | { began: { pid: number; parent: number | undefined } }
  /** A process between vfork and exec is at home, as another program. */
  | { executed: { pid: number; parent: number } }
  | { returned: ReturnedProcess }
  /** A connection for a guest of another worker. */
  | { handOver: { worker: number; fd: number; from: string; ticket: string } };
