/**
 * What each process of a job asks for, wherever it is: at home by this machine's counters, away by what the engine is told of
 * its body. Makes the candidates of the balancer out of them.
 */
import { performance } from 'node:perf_hooks';

import type { Candidate, Wishes } from '../balance/candidate.ts';
import { ProcessMeter, type ProcessUse } from '../load/process_meter.ts';
import { shareOf } from '../load/units.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import type { Member } from './jobs.ts';

/** A process away, since it is where it is. */
interface Stay {
  readonly where: string;
  readonly meter: ProcessMeter;
  /** Milliseconds that it was runnable in earlier stays. */
  readonly before: number;
}

export interface Surroundings {
  readonly node: string;
  /** Of a process at home. */
  useAtHome(pid: number): ProcessUse | undefined;
  /** What the node that hosts it measures; undefined if it has not said so. */
  demandAway(pid: number): number | undefined;
  /** What of a CPU each task gets on a node, and how fast its CPUs are; undefined if nothing is known of it. */
  power(node: string): { cpus: number; demand: number; speed: number } | undefined;
  /** Those that share memory with it, itself first. */
  setOf(pid: number): readonly number[];
}

export class JobMeters {
  readonly #stays = new Map<number, Stay>();

  /** Notes what the engine tells. @param away All of this node's processes that are elsewhere. */
  feed(away: readonly ProcessRow[], useAtHome: (pid: number) => ProcessUse | undefined): void {
    for (const row of away) {
      const counters = {
        at: performance.now(),
        cpuMs: row.cpuAwayMs ?? 0,
        calls: row.forwarded,
        memoryBytes: row.memoryBytes,
      };
      const known = this.#stays.get(row.pid);
      if (known?.where === row.where) known.meter.feed(counters);
      else {
        const before = known === undefined ? (useAtHome(row.pid)?.runnableMs ?? 0) : runnableOf(known);
        this.#stays.set(row.pid, { where: row.where, meter: new ProcessMeter(counters), before });
      }
    }
    const present = new Set(away.map(({ pid }) => pid));
    for (const pid of this.#stays.keys()) if (!present.has(pid)) this.#stays.delete(pid);
  }

  /** @returns undefined while nothing is known of it yet */
  candidate(member: Member, row: ProcessRow | undefined, around: Surroundings): Candidate | undefined {
    const set = around.setOf(member.pid);
    const where = row?.where ?? around.node;
    const power = around.power(where);
    const uses = set.flatMap((pid) => this.#use(pid, where, around) ?? []);
    if (uses.length < set.length || uses.length === 0 || power === undefined) return undefined;
    const sum = (of: (use: ProcessUse) => number): number => uses.reduce((total, use) => total + of(use), 0);
    const cpus = sum((use) => use.cpus);
    const share = shareOf(power.cpus, power.demand);
    const threads = Math.max(1, row?.threads ?? 1);
    const told = set.map((pid) => around.demandAway(pid));
    // If its host does not say what it asks for, that follows from what it gets, and from what each task gets there.
    const away = told.every((each) => each !== undefined)
      ? told.reduce((total, each) => total + each, 0)
      : Math.min(threads * set.length, cpus / share);
    const demand = row === undefined ? sum((use) => use.demand) : away;
    const wishes = wishesOf(member);
    const workPerSecond = Math.max(0.001, cpus) * (power.speed / 10_000) * 1_000;
    return {
      pid: set[0],
      set,
      uid: member.job.uid,
      where,
      demand,
      cpus,
      callsPerWork: wishes.ignoreCalls === true ? 0 : sum((use) => use.callsPerSecond) / workPerSecond,
      memoryBytes: sum((use) => use.memoryBytes),
      runnableMs: Math.max(...uses.map((use) => use.runnableMs)),
      wishes,
      bound: boundBy(member, row),
    };
  }

  #use(pid: number, where: string, around: Surroundings): ProcessUse | undefined {
    const stay = this.#stays.get(pid);
    if (stay === undefined) return where === around.node ? around.useAtHome(pid) : undefined;
    const { use } = stay.meter;
    return use === undefined ? undefined : { ...use, runnableMs: use.runnableMs + stay.before };
  }
}

function runnableOf({ meter, before }: Stay): number {
  return before + (meter.use?.runnableMs ?? 0);
}

function wishesOf({ job }: Member): Wishes {
  const { nodes, notNodes, freeMegabytes, countCalls } = job.options;
  return {
    nodes,
    notNodes,
    freeBytes: freeMegabytes === undefined ? undefined : freeMegabytes * (1 << 20),
    ignoreCalls: countCalls === false,
  };
}

/** Why the balancer leaves it where it is, whatever that costs. */
function boundBy({ job, held }: Member, row: ProcessRow | undefined): string | undefined {
  if (held === true) return 'it is held at home for a debugger (mosix attach)';
  if (job.options.stay === true) return 'its user wants no automatic migration (mosrun -L)';
  if (job.options.home === true) return 'its user wants it at home (mosrun -h)';
  if (job.options.restrict !== undefined) return `its user wants it on ${job.options.restrict} (mosrun -r)`;
  if (row !== undefined && row.state !== 'away') return `it is ${row.state}`;
  return undefined;
}
