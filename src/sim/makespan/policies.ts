/** What is compared: our balancer, and three that are simpler. All know the same, from the same messages, and pay the same for a move. */
import { Admission } from '../../balance/admission.ts';
import { Balancer, type Proposal } from '../../balance/balancer.ts';
import type { Candidate } from '../../balance/candidate.ts';
import type { Seen } from '../../balance/site.ts';
import type { Tunables } from '../../balance/tunables.ts';
import type { NodeEntry } from '../../gossip/entry.ts';
import { ProcessMeter } from '../../load/process_meter.ts';
import { demandOf, shareOf } from '../../load/units.ts';
import type { Job, JobSpec, SimulatedCluster } from './cluster.ts';
import { entryOf } from './entries.ts';
import { pick, type Random } from './random.ts';
import { Vectors } from './vector.ts';

export interface PolicyContext {
  readonly cluster: SimulatedCluster;
  readonly random: Random;
}

export interface Policy {
  /** Where a job begins. */
  place(spec: JobSpec): string;
  /** Every 100 ms of simulated time. */
  tick(): void;
}

export const POLICIES: Readonly<Record<string, (context: PolicyContext) => Policy>> = {
  ours: (context) => new Ours(context),
  random: ({ cluster, random }) => ({ place: () => pick(random, cluster.nodes).name, tick: () => {} }),
  'least loaded': (context) => new LeastLoaded(context),
  threshold: (context) => new Threshold(context),
};

const SECOND = 1_000;
const WARM_UP = 60;

/** What all that look at loads have in common: measuring once a second, and spreading it. */
class Informed {
  protected readonly cluster: SimulatedCluster;
  protected readonly random: Random;
  protected readonly vectors: Vectors;
  #next = 0;

  constructor({ cluster, random }: PolicyContext) {
    this.cluster = cluster;
    this.random = random;
    this.vectors = new Vectors(
      cluster.nodes.map(({ name }) => name),
      random,
    );
    // The nodes have been there for a while, and know each other, when the first job comes.
    for (const { name } of cluster.nodes)
      this.vectors.publish(name, entryOf(cluster.node(name), { demand: 0, usedMemory: 0, guests: 0 }), 0);
    for (let second = 0; second < WARM_UP; second += 1) this.vectors.spread();
  }

  /** @returns whether a second is over */
  protected measure(): boolean {
    const { now, nodes } = this.cluster;
    if (now < this.#next) return false;
    this.#next += SECOND;
    for (const { name } of nodes) this.vectors.publish(name, this.entry(name), now);
    this.vectors.spread();
    return true;
  }

  protected entry(name: string): NodeEntry {
    const here = this.cluster.on(name);
    const guests = here.filter(({ spec }) => spec.home !== name).length;
    const usedMemory = this.cluster.usedMemory(name);
    return entryOf(this.cluster.node(name), { demand: here.length, usedMemory, guests });
  }
}

class LeastLoaded extends Informed implements Policy {
  /** What this home has placed since it heard of a node. */
  readonly #placed: { home: string; to: string; at: number }[] = [];

  place({ home, memoryBytes }: JobSpec): string {
    const { now, nodes } = this.cluster;
    const load = (name: string): number => {
      const heard = this.vectors.of(home, name);
      if (heard === undefined) return Infinity;
      const since = this.#placed.filter((one) => one.home === home && one.to === name && one.at >= heard.at).length;
      const { speed, cpus } = heard.entry;
      const fits = heard.entry.freeMemory > memoryBytes;
      return fits ? (demandOf(heard.entry, heard.entry.load) + since + 1) / (cpus * speed) : Infinity;
    };
    const best = nodes.map(({ name }) => ({ name, load: load(name) })).toSorted((a, b) => a.load - b.load)[0];
    const to = best.load < Infinity ? best.name : home;
    this.#placed.push({ home, to, at: now });
    return to;
  }

  tick(): void {
    this.measure();
  }
}

/** Moves one process when the best remote load is lower by 250 of 1000 per core, and then waits for a second. */
class Threshold extends Informed implements Policy {
  place({ home }: JobSpec): string {
    return home;
  }

  tick(): void {
    if (!this.measure()) return;
    for (const { name, cpus } of this.cluster.nodes) {
      const here = this.cluster.on(name).filter(({ moving }) => moving === undefined);
      const others = this.cluster.nodes
        .filter((other) => other.name !== name)
        .flatMap((other) => {
          const heard = this.vectors.of(name, other.name);
          return heard === undefined
            ? []
            : [{ other, perCore: demandOf(heard.entry, heard.entry.load) / other.cpus, heard }];
        })
        .toSorted((a, b) => a.perCore - b.perCore);
      const best = others.at(0);
      if (best === undefined || here.length === 0 || (here.length / cpus - best.perCore) * 1000 <= 250) continue;
      const job = pick(this.random, here);
      if (best.heard.entry.freeMemory > job.spec.memoryBytes) this.cluster.move(job, best.other.name);
    }
  }
}

interface Home {
  readonly balancer: Balancer;
  /** One move at a time. */
  busyUntil: number;
}

/** The production policy: measured by its meters, decided by its balancer, asked of its admission. */
export class Ours extends Informed implements Policy {
  readonly #homes = new Map<string, Home>();
  readonly #admissions = new Map<string, Admission>();
  readonly #meters = new Map<Job, { where: string; meter: ProcessMeter }>();

  constructor(context: PolicyContext, tunables?: Tunables) {
    super(context);
    const { cluster, random } = context;
    const now = (): number => cluster.now;
    for (const { name } of cluster.nodes) {
      this.#homes.set(name, { balancer: new Balancer({ now, random, tunables }), busyUntil: 0 });
      this.#admissions.set(name, new Admission(now));
    }
  }

  place({ home }: JobSpec): string {
    return home;
  }

  tick(): void {
    const measured = this.measure();
    if (measured) for (const job of this.cluster.running()) this.#feed(job);
    for (const [name, home] of this.#homes) {
      // A look every second, and at once after each move.
      if (this.cluster.now < home.busyUntil || (!measured && home.busyUntil === 0)) continue;
      home.busyUntil = 0;
      this.#decide(name, home);
    }
  }

  protected override entry(name: string): NodeEntry {
    const plain = super.entry(name);
    const jobs = this.cluster.on(name);
    const demand = jobs.reduce((sum, job) => sum + (this.#use(job)?.demand ?? 1), 0);
    const promised = this.#admissions.get(name)?.promised() ?? { demand: 0, memoryBytes: 0 };
    const usedMemory = this.cluster.usedMemory(name) + promised.memoryBytes;
    return entryOf(this.cluster.node(name), { demand: demand + promised.demand, usedMemory, guests: plain.guests });
  }

  #feed(job: Job): void {
    const { cpuMs, waitMs, calls, where, spec } = job;
    const counters = { at: this.cluster.now, cpuMs, waitMs, calls, memoryBytes: spec.memoryBytes };
    const known = this.#meters.get(job);
    if (known?.where === where) known.meter.feed(counters);
    else this.#meters.set(job, { where, meter: new ProcessMeter(counters) });
  }

  #use(job: Job): ProcessMeter['use'] {
    const known = this.#meters.get(job);
    return known?.where === job.where ? known.meter.use : undefined;
  }

  #decide(name: string, home: Home): void {
    const own = this.cluster.running().filter(({ spec }) => spec.home === name);
    if (own.length === 0) return;
    const nodes = this.cluster.nodes.flatMap((node): Seen[] => {
      const heard = node.name === name ? undefined : this.vectors.of(name, node.name);
      if (heard === undefined) return [];
      return [
        {
          name: node.name,
          entry: heard.entry,
          ageMs: this.cluster.now - heard.at,
          rttMs: this.cluster.costs.callMs - 0.06,
        },
      ];
    });
    const candidates = own.flatMap((job) => this.#candidate(job) ?? []);
    const alive = new Set(own.map(({ spec }) => spec.id));
    const view = { home: { name, entry: this.entry(name) }, nodes, candidates, alive };
    const { proposal } = home.balancer.decide(view);
    if (proposal !== undefined) this.#act(home, proposal);
  }

  #candidate(job: Job): Candidate | undefined {
    const use = this.#use(job);
    if (use === undefined || job.moving !== undefined) return undefined;
    const { speed, cpus } = this.cluster.node(job.where);
    const away = job.where !== job.spec.home;
    const heard = this.vectors.of(job.spec.home, job.where)?.entry;
    const share = heard === undefined ? 1 : shareOf(cpus, demandOf(heard, heard.load));
    return {
      pid: job.spec.id,
      set: [job.spec.id],
      uid: 0,
      where: job.where,
      // Away it is only known what it gets.
      demand: away ? Math.min(1, use.cpus / share) : use.demand,
      cpus: use.cpus,
      callsPerWork: use.callsPerSecond / (Math.max(0.001, use.cpus) * (speed / 10_000) * SECOND),
      memoryBytes: use.memoryBytes,
      runnableMs: use.runnableMs,
      wishes: {},
    };
  }

  #act(home: Home, proposal: Proposal): void {
    const { candidate, to, kind, figures } = proposal;
    const job = this.cluster.jobs.find(({ spec }) => spec.id === candidate.pid);
    if (job === undefined) return;
    const admission = this.#admissions.get(to);
    const progress = kind === 'memory' ? 0 : (figures?.progressHere ?? 0);
    const { pid, demand, memoryBytes } = candidate;
    const refused =
      to === job.spec.home
        ? undefined
        : admission?.ask({ home: job.spec.home, pid, demand, memoryBytes, progress }, this.entry(to));
    if (refused !== undefined) {
      home.balancer.refused(to, refused);
      return;
    }
    const askedAt = this.cluster.now;
    const takes = this.cluster.move(job, to);
    // It counts by itself from here on: `where` is where it is going.
    admission?.arrived(job.spec.home, pid);
    home.balancer.moved(proposal, { totalMs: takes, bytes: memoryBytes, askedAt });
    home.busyUntil = this.cluster.now + takes;
  }
}
