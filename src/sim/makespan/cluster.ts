/**
 * A cluster that computes, as a fluid: every CPU of a node is divided evenly among what wants it, and a job that is away
 * waits for its calls besides. Time goes in steps; a job that ends within a step ends where its work ends.
 */

export interface NodeSpec {
  readonly name: string;
  /** Of one CPU; 10000 is standard. */
  readonly speed: number;
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface JobSpec {
  readonly id: number;
  readonly home: string;
  /** Milliseconds. */
  readonly arrives: number;
  /** Milliseconds on a standard CPU. */
  readonly work: number;
  /** Calls that home has to make for each of them. */
  readonly callsPerWork: number;
  readonly memoryBytes: number;
}

export interface Job {
  readonly spec: JobSpec;
  where: string;
  /** Where it is going, and when it will be there. */
  moving: { readonly to: string; readonly until: number } | undefined;
  done: number;
  /** On CPUs, and ready but without one, milliseconds. */
  cpuMs: number;
  waitMs: number;
  calls: number;
  moves: number;
  endedAt: number | undefined;
}

/** What moving and calling cost in this world. */
export interface Costs {
  readonly fixedMs: number;
  readonly bytesPerMs: number;
  /** Of one call from away. */
  readonly callMs: number;
}

export const COSTS: Costs = { fixedMs: 80, bytesPerMs: 100_000, callMs: 0.15 };

const STANDARD = 10_000;

export class SimulatedCluster {
  readonly nodes: readonly NodeSpec[];
  readonly jobs: Job[] = [];
  readonly costs: Costs;
  now = 0;
  readonly #byName: ReadonlyMap<string, NodeSpec>;

  constructor(nodes: readonly NodeSpec[], costs: Costs = COSTS) {
    this.nodes = nodes;
    this.costs = costs;
    this.#byName = new Map(nodes.map((node) => [node.name, node]));
  }

  node(name: string): NodeSpec {
    const found = this.#byName.get(name);
    if (found === undefined) throw new Error(`Cannot find node ${name}: there is none`);
    return found;
  }

  begin(spec: JobSpec, where = spec.home): Job {
    const job: Job = {
      spec,
      where,
      moving: undefined,
      done: 0,
      cpuMs: 0,
      waitMs: 0,
      calls: 0,
      moves: 0,
      endedAt: undefined,
    };
    this.jobs.push(job);
    return job;
  }

  /** Those that run or move, with where they count. */
  running(): Job[] {
    return this.jobs.filter((job) => job.endedAt === undefined);
  }

  on(name: string): Job[] {
    return this.jobs.filter((job) => job.endedAt === undefined && job.where === name);
  }

  usedMemory(name: string): number {
    return this.on(name).reduce((sum, { spec }) => sum + spec.memoryBytes, 0);
  }

  /** @returns milliseconds until it runs there */
  move(job: Job, to: string): number {
    const { fixedMs, bytesPerMs } = this.costs;
    const takes = fixedMs + job.spec.memoryBytes / bytesPerMs;
    // Memory is needed there from the beginning, and not needed any more here: there is nothing in between.
    job.where = to;
    job.moving = { to, until: this.now + takes };
    job.moves += 1;
    return takes;
  }

  /** Milliseconds of time for each of standard work, if `demand` tasks want the node's CPUs. */
  stretch(job: Job, demand: number): number {
    const { speed, cpus } = this.node(job.where);
    const cpu = STANDARD / (speed * Math.min(1, cpus / Math.max(1, demand)));
    return cpu + (job.where === job.spec.home ? 0 : job.spec.callsPerWork * this.costs.callMs);
  }

  step(milliseconds: number): void {
    const until = this.now + milliseconds;
    for (const { name, speed } of this.nodes) {
      const here = this.on(name);
      const active = here.filter((job) => (job.moving?.until ?? 0) < until);
      // What waits for calls wants the CPU for the rest of its time only.
      const demand = this.#demandOf(active);
      for (const job of active) this.#advance(job, { until, demand, speed });
    }
    this.now = until;
  }

  #demandOf(active: readonly Job[]): number {
    return active.reduce((sum, job) => {
      const whole = this.stretch(job, 1);
      const calls = job.where === job.spec.home ? 0 : job.spec.callsPerWork * this.costs.callMs;
      return sum + (whole - calls) / whole;
    }, 0);
  }

  #advance(job: Job, { until, demand, speed }: { until: number; demand: number; speed: number }): void {
    const from = Math.max(this.now, job.moving?.until ?? 0);
    job.moving = undefined;
    const stretch = this.stretch(job, demand);
    const work = Math.min((until - from) / stretch, job.spec.work - job.done);
    const elapsed = work * stretch;
    const calling = job.where === job.spec.home ? 0 : work * job.spec.callsPerWork * this.costs.callMs;
    const cpu = work * (STANDARD / speed);
    job.done += work;
    job.cpuMs += cpu;
    job.waitMs += Math.max(0, elapsed - cpu - calling);
    job.calls += work * job.spec.callsPerWork;
    if (job.spec.work - job.done < 1e-6) job.endedAt = from + elapsed;
  }
}
