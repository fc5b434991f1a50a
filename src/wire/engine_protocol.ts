/**
 * What mosd and the engine of one node say to each other on `engine.sock`: one JSON object a line; mosd asks.
 *
 *     {"id":1,"op":"migrate",…}                                      the request
 *     {"id":1,"progress":{"phase":"pages","bytes":1048576,"total":…}} any number of them
 *     {"id":1,"ok":true,"result":{…}}                                the answer
 *     {"id":1,"ok":false,"error":{"code":"busy","message":"…"}}      or this
 */

export type ErrorCode =
  | 'no-such-process'
  | 'no-such-node'
  | 'not-permitted'
  | 'node-unreachable'
  | 'not-authenticated'
  | 'version-mismatch'
  | 'stays-home'
  | 'busy'
  | 'traced'
  | 'not-away'
  | 'failed'
  | 'bad-request';

/** Where an engine accepts guests. */
export interface GuestAddress {
  name: string;
  address: string;
  guestPort: number;
}

export interface EngineHello {
  pid: number;
  version: string | number;
  node: string;
  guestPort: number;
}

export interface MigrationProgress {
  phase: 'connect' | 'files' | 'freeze' | 'pages' | 'resume' | string;
  bytes: number;
  total: number;
}

export interface MoveResult {
  pid: number;
  /** The node it went to; absent after coming home. */
  to?: string;
  /** The node it came home from. */
  from?: string;
  /** It was where it was to go. */
  already?: boolean;
  freezeMs: number;
  totalMs: number;
  bytes: number;
  threads?: number;
}

export interface ReleaseResult {
  bytes: number;
}

export interface PingResult {
  rttMs: number;
  node: string;
  version: string | number;
}

export type ProcessState = 'away' | 'leaving' | 'moving' | 'returning' | 'stopped' | 'guest' | 'home';

/** A process that is, was or may be away. */
export interface ProcessRow {
  /** At home. */
  pid: number;
  uid: number;
  comm: string;
  where: string;
  home: string;
  threads: number;
  memoryBytes: number;
  moves: number;
  forwarded: number;
  forwardedPerSecond: number;
  state: ProcessState;
  /** Of a guest: its process on the hosting node. */
  hostPid?: number;
  /** CPU time, wherever it ran, milliseconds. */
  cpuMs?: number;
  /** Part of it on other nodes. */
  cpuAwayMs?: number;
  /** The job's name, as mosrun was told. */
  job?: string;
  /** Why it came home, or why it did not leave. */
  reason?: string;
  since?: number;
}

export interface ProcessList {
  /** Processes of this home node that are away or on the way. */
  away: ProcessRow[];
  /** Bodies that this node hosts. */
  guests: ProcessRow[];
  /** Came home lately and still run. */
  returned: ProcessRow[];
}

/** What became of a process while it was away. */
export type EngineEvent =
  /** It runs there now. */
  | { event: 'left'; pid: number }
  /** It came home by itself, for something that only home can do. */
  | { event: 'returned'; pid: number }
  /** A stay elsewhere is over, by its return or its end. */
  | { event: 'used'; pid: number; cpuMs: number }
  /** It was made there. */
  | { event: 'born'; pid: number; parent: number }
  /** It is at home again, as another program. */
  | { event: 'executed'; pid: number; parent?: number };

export interface EventList {
  /** What to ask for next time. */
  next: number;
  events: EngineEvent[];
}

export interface CallList {
  calls: { name: string; count: number; micros: number }[];
  reasons: { reason: string; count: number }[];
}
