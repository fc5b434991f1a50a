/**
 * What the monitor knows of a cluster at one moment. Whatever is not known is absent and shown as "-": nodes that run an older
 * version say less.
 */
import type { MemberState, NodeStatus } from '../gossip/entry.ts';

export interface NodeFigures {
  name: string;
  address?: string;
  /** The one that the monitor asks. */
  self?: boolean;
  cluster?: string;
  state: MemberState | 'connecting';
  /** Why it is not alive. */
  why?: string;
  rttMs?: number;
  /** Since the figures were measured. */
  ageMs?: number;
  /** 100 = one CPU-bound task on one CPU of standard speed. */
  load?: number;
  /** Of one CPU; 10000 = standard. */
  speed?: number;
  cpus?: number;
  /** Bytes, as all memory here. */
  freeMemory?: number;
  totalMemory?: number;
  freeSwap?: number;
  totalSwap?: number;
  /** Per cent of the CPUs. */
  utilisation?: number;
  /** Per cent of the time in which some task waited. */
  pressure?: { cpu: number; memory: number; io: number };
  /** Block input and output of programs at home, and calls made for those that are away. */
  ioBytesPerSecond?: number;
  ioCallsPerSecond?: number;
  guests?: number;
  maxGuests?: number;
  away?: number;
  status?: Partial<NodeStatus>;
  uptimeSeconds?: number;
  users?: number;
  version?: string;
  clockOffsetMs?: number;
}

export interface ProcessFigures {
  /** At home. */
  pid: number;
  user: string;
  comm: string;
  where: string;
  home: string;
  state: string;
  job?: string;
  memoryBytes: number;
  threads: number;
  cpuMs?: number;
  moves: number;
  callsPerSecond: number;
  /** Why it came home or stays. */
  reason?: string;
}

export interface Picture {
  /** The node that was asked. */
  node: string;
  nodes: readonly NodeFigures[];
  /** Of this node: at home, away, and guests. */
  processes: readonly ProcessFigures[];
}

/** Sums over the nodes that are alive; a sum is absent if no node knows its part. */
export interface Totals {
  nodes: number;
  alive: number;
  cpus?: number;
  /** Mean, weighted by CPUs where these are known. */
  load?: number;
  freeMemory?: number;
  totalMemory?: number;
  guests?: number;
  away?: number;
}

export function isAlive({ state }: NodeFigures): boolean {
  return state === 'alive' || state === 'suspect';
}

export function totalsOf(nodes: readonly NodeFigures[]): Totals {
  const alive = nodes.filter(isAlive);
  const sum = (of: (node: NodeFigures) => number | undefined): number | undefined => {
    const known = alive.map(of).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((all, value) => all + value, 0);
  };
  const weighted = sum(({ load, cpus = 1 }) => (load === undefined ? undefined : load * cpus));
  const weights = sum(({ load, cpus = 1 }) => (load === undefined ? undefined : cpus));
  return {
    nodes: nodes.length,
    alive: alive.length,
    cpus: sum(({ cpus }) => cpus),
    load: weighted === undefined ? undefined : weighted / Math.max(weights ?? 0, 0.001),
    freeMemory: sum(({ freeMemory }) => freeMemory),
    totalMemory: sum(({ totalMemory }) => totalMemory),
    guests: sum(({ guests }) => guests),
    away: sum(({ away }) => away),
  };
}
