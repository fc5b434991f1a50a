/**
 * What the commands say to mosd on `mosd.sock`: the form of engine_protocol.ts. Who asks is known from the socket
 * (SO_PEERCRED), not from the message.
 */
import type { PeerConfig } from '../lib/places.ts';
import type { EngineEvent, ProcessList, ProcessRow } from './engine_protocol.ts';

/** Longest answer that a command accepts: a list of some ten thousand processes. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export interface MosdHello {
  node: string;
  pid: number;
  version: string;
  /** Why the node's engine does not answer; absent while it does. */
  engineDown?: string;
}

/** What the user wishes for a program that mosrun is about to become; what is not said is as for the job it belongs to. */
export interface RunOptions {
  /** The node to run on (`-r`). */
  restrict?: string;
  /** Run at home (`-h`). */
  home?: boolean;
  /** No automatic migration (`-L`); false: it is allowed (`-l`). */
  stay?: boolean;
  /** Name of the job, for commands on all its processes (`-J`). */
  job?: string;
  /** It and what it starts are no job, but ordinary programs of this node (mosnative). Goes with no other wish. */
  native?: boolean;
  /** Begin on the node that is best now (`-b`). */
  best?: boolean;
  /** Begin on one of these, drawn by chance (`-j`). */
  among?: string[];
  /** For the whole life of the job: only there, beside home (`--nodes`); not there (`--not-nodes`). */
  nodes?: string[];
  notNodes?: string[];
  /** Only where so many megabytes are free (`-m`). */
  freeMegabytes?: number;
  /** Whether its input and output count in placement (`-n`, the default, or not: `-c`). */
  countCalls?: boolean;
}

export interface RunResult {
  node: string;
  /** To be put into the program's environment: tells the processes of a job that are in no cgroup of it. */
  mark?: string;
}

export interface JobRow {
  /** The process that mosrun became. */
  pid: number;
  uid: number;
  tag?: string;
  /** All that run, those that are away with their ids at home. */
  processes: number[];
}

/** What became of a command to all processes of a job. */
export interface JobMoveResult {
  moved: number[];
  /** Those that are where they were, and why. */
  stayed: { pid: number; why: string }[];
}

export interface CpuUse {
  /** Milliseconds on this node. */
  homeMs: number;
  /** Milliseconds on other nodes. */
  awayMs: number;
}

/** What the balancer decided about a process, or what came of it. */
export interface DecisionRow {
  /** Counts events; absent for a "no". */
  seq?: number;
  /** Milliseconds since 1970. */
  at: number;
  pid: number;
  kind: 'moved' | 'stays' | 'refused' | 'failed' | 'gained';
  from: string;
  to?: string;
  why: string;
  /** Demands in tasks, progress in standard CPUs for each task, times in milliseconds. */
  figures?: {
    demandHere: number;
    demandThere: number;
    progressHere: number;
    progressThere: number;
    horizonMs: number;
    costMs: number;
    gainMs: number;
    neededMs: number;
  };
  /** Of `gained`: how many times as fast it was to become, and became. */
  predicted?: number;
  came?: number;
  freezeMs?: number;
}

export interface WhyAnswer {
  pid: number;
  /** What was decided last, a "no" included; absent if nothing was. */
  last?: DecisionRow;
  /** What became of it before, oldest first. */
  events: DecisionRow[];
}

/** What the owner of a node has ordered (mosctl). */
export interface OrderState {
  stay: boolean;
  lstay: boolean;
  block: boolean;
  /** Why no guests may come; absent: they may. */
  closed?: string;
}

/** How far an evacuation is. */
export interface EvacuationState {
  gone: number;
  total: number;
  /** Those that are still there, and why. */
  left: { pid: number; why: string }[];
}

export interface NodeRow extends PeerConfig {
  /** `connecting`: not tried to the end yet. */
  state: 'up' | 'down' | 'connecting';
  /** This is the node that answers. */
  self?: boolean;
  rttMs?: number;
  /** Why it is not up. */
  why?: string;
  /** Since it measured itself, milliseconds; absent while nothing has been heard of it. */
  ageMs?: number;
  /** What it last said of itself. */
  measured?: NodeMeasurement;
}

/** A node's entry (src/gossip/entry.ts, which explains the fields), without what only the balancer needs. 0 is unknown. */
export interface NodeMeasurement {
  load: number;
  speed: number;
  cpus: number;
  architecture: string;
  freeMemory: number;
  totalMemory: number;
  freeSwap: number;
  totalSwap: number;
  pressure: { cpu: number; memory: number; io: number };
  utilisation: number;
  localIo: { callsPerSecond: number; bytesPerSecond: number };
  remoteIo: { callsPerSecond: number; bytesPerSecond: number };
  localIpc: { callsPerSecond: number; bytesPerSecond: number };
  remoteIpc: { callsPerSecond: number; bytesPerSecond: number };
  guests: number;
  maxGuests: number;
  away: number;
  status: {
    stay: boolean;
    lstay: boolean;
    block: boolean;
    hostingOnly: boolean;
    leaving: boolean;
    ownerPresent: boolean;
    engineDown: boolean;
  };
  clockOffsetMs: number;
  version: string;
  uptimeSeconds: number;
  users: number;
}

/** Something that changes what `list` shows; what it is like now is to be asked. */
export interface WatchEvent {
  event: EngineEvent['event'];
  pid: number;
}

/** What `watch` tells as long as the connection lasts; without events it is a sign of life. */
export interface WatchNews {
  events: WatchEvent[];
  /** Events that were forgotten because they were not read in time. */
  missed: number;
}

/** How the cluster stands, as this node knows it. */
export interface ClusterReport {
  cluster: string;
  /** Of the charter. */
  version: number;
  /** The node that holds the authority. */
  issuer: string;
  issuesHere: boolean;
  /** SHA-256 of their certificates; more than one while one replaces another. */
  authorities: string[];
  /** When this node's certificate ends, milliseconds since 1970. */
  expires: number;
  /** This node has been revoked. */
  revoked: boolean;
  revocations: { node: string; at: number }[];
  settings: { guestLinks: 'encrypted' | 'clear'; users: 'shared' | 'separate'; certificateDays: number };
  /** While the authority is replaced, at the issuer: who has no certificate of the new one yet. */
  unrenewed: string[];
}

export interface TokenResult {
  token: string;
  /** Milliseconds since 1970. */
  expires: number;
}

/** What another node says about itself, and between which two moments of this node's clock; milliseconds since 1970. */
export interface PeerFindings {
  sent: number;
  received: number;
  report: { node: string; version: string; protocol: number; kernel: string; architecture: string; now: number };
}

export interface MosdList extends ProcessList {
  node: string;
  /** Started by mosrun and at home now. */
  home: ProcessRow[];
}

/** In the environment of a job's processes: tells where they belong while no cgroup does. */
export const JOB_MARK = 'MOSIX_JOB';

/** mosd's socket in a run directory. */
export function commandSocket(runDir: string): string {
  return `${runDir}/mosd.sock`;
}
