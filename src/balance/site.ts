/** A node as the balancer of another one sees it, and how well a process would run there. */
import { includesFeatures, type NodeEntry } from '../gossip/entry.ts';
import { reserveOf } from '../load/memory_trend.ts';
import { shareOf, STANDARD_SPEED } from '../load/units.ts';
import type { Candidate } from './candidate.ts';

/** The latest that is known of a node. */
export interface Seen {
  readonly name: string;
  readonly entry: NodeEntry;
  /** Milliseconds since it was measured. */
  readonly ageMs: number;
  /** Milliseconds there and back. */
  readonly rttMs: number;
}

export interface Site {
  readonly name: string;
  /** The node that decides: home of all its candidates, where calls cost nothing extra. */
  readonly home: boolean;
  readonly speed: number;
  readonly cpus: number;
  /** Tasks that run or want to run there, with what is on its way there and without what is on its way from there. */
  readonly demand: number;
  readonly memoryTotal: number;
  readonly memoryFree: number;
  readonly memoryShort: number;
  readonly entry: NodeEntry;
  /** Milliseconds that a call forwarded from there takes longer than at home. */
  readonly callMs: number;
  /** Why no process may go there; undefined if it may. */
  readonly closed?: string;
  /** Why no process may leave from there by itself. */
  readonly fixed?: string;
}

/**
 * Milliseconds that the process takes on a node for what a standard CPU of its own does in one: the time on the CPU, by
 * its speed and the share of it, and the time in which its calls are on their way home.
 */
export function stretchOf(candidate: Candidate, site: Site): number {
  const own = candidate.where === site.name ? 0 : candidate.demand;
  const share = shareOf(site.cpus, site.demand + own);
  const cpu = STANDARD_SPEED / (site.speed * share);
  return cpu + (site.home ? 0 : candidate.callsPerWork * site.callMs);
}

/** Why a process cannot run on a node at all; undefined if it can. */
export function obstacle(candidate: Candidate, site: Site, home: Site): string | undefined {
  if (site.home) return memoryObstacle(candidate, site);
  if (site.closed !== undefined) return site.closed;
  const { nodes, notNodes } = candidate.wishes;
  if (nodes !== undefined && !nodes.includes(site.name)) return 'it is not among the nodes of the job';
  if (notNodes?.includes(site.name)) return 'the job is not to run there';
  if (site.entry.architecture !== home.entry.architecture) return 'its CPUs are of another kind';
  // What a program has found out about its CPUs at home it may rely on for its whole life.
  if (!includesFeatures(site.entry.cpuFeatures, home.entry.cpuFeatures)) return 'its CPUs lack what those here have';
  return memoryObstacle(candidate, site);
}

function memoryObstacle({ memoryBytes, wishes }: Candidate, site: Site): string | undefined {
  if (site.memoryShort > 0) return 'its memory runs short';
  if (wishes.freeBytes !== undefined && site.memoryFree < wishes.freeBytes)
    return 'it has less free memory than the job asks for';
  return site.memoryFree - memoryBytes < reserveOf(site.memoryTotal) ? 'it has too little free memory' : undefined;
}
