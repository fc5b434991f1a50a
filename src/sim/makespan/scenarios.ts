/** The five kinds of load that balancers are compared by. Each is generated from a seed; sizes are the same for all seeds. */
import type { JobSpec, NodeSpec } from './cluster.ts';
import { between, pareto, pick, seeded, type Random } from './random.ts';

export interface Scenario {
  readonly nodes: readonly NodeSpec[];
  readonly jobs: readonly JobSpec[];
}

export interface ScenarioKind {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  generate(seed: number): Scenario;
}

const GB = 2 ** 30;
const MB = 2 ** 20;
const SECOND = 1_000;

interface JobDraw {
  readonly home: string;
  readonly arrives?: number;
  readonly work: number;
  readonly callsPerWork?: number;
  readonly memoryBytes: number;
}

function numbered(draws: readonly JobDraw[]): JobSpec[] {
  return draws.map((draw, id) => ({ id, arrives: 0, callsPerWork: 0.01, ...draw }));
}

function nodes(count: number, of: (index: number) => Omit<NodeSpec, 'name'>): NodeSpec[] {
  return Array.from({ length: count }, (_, index) => ({ name: `n${index + 1}`, ...of(index) }));
}

function times<T>(count: number, of: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => of(index));
}

const small = (random: Random): number => between(random, 4 * MB, 64 * MB);

export const SCENARIOS: readonly ScenarioKind[] = [
  {
    name: 'burst',
    what: '16 nodes of 2 CPUs; 200 jobs of 20 to 60 s, all at once on one of them',
    generate(seed) {
      const random = seeded(seed);
      const jobs = times(200, () => ({
        home: 'n1',
        work: between(random, 20, 60) * SECOND,
        memoryBytes: small(random),
      }));
      return { nodes: nodes(16, () => ({ speed: 10_000, cpus: 2, memoryBytes: 16 * GB })), jobs: numbered(jobs) };
    },
  },
  {
    name: 'speeds',
    what: '12 nodes of 1 to 8 CPUs, the fastest four times as fast as the slowest; 240 jobs of 10 to 90 s, at once on four of them',
    generate(seed) {
      const random = seeded(seed);
      const list = nodes(12, () => ({
        speed: Math.round(between(random, 5_000, 20_000)),
        cpus: pick(random, [1, 2, 4, 8]),
        memoryBytes: 16 * GB,
      }));
      const jobs = times(240, () => ({
        home: pick(random, list.slice(0, 4)).name,
        work: between(random, 10, 90) * SECOND,
        memoryBytes: small(random),
      }));
      return { nodes: list, jobs: numbered(jobs) };
    },
  },
  {
    name: 'arrivals',
    what: '16 nodes of 4 CPUs; 600 jobs of 5 to 55 s arrive within three minutes, on three of them',
    generate(seed) {
      const random = seeded(seed);
      const list = nodes(16, () => ({ speed: 10_000, cpus: 4, memoryBytes: 16 * GB }));
      const jobs = times(600, () => ({
        home: pick(random, list.slice(0, 3)).name,
        arrives: between(random, 0, 180) * SECOND,
        work: between(random, 5, 55) * SECOND,
        memoryBytes: small(random),
      }));
      return { nodes: list, jobs: numbered(jobs) };
    },
  },
  {
    name: 'lifetimes',
    what: '16 nodes of 2 CPUs, speeds 8000 to 12000; 800 jobs of 0.2 to 200 s as real processes are (Pareto, exponent 1.1), within one minute, on all of them unevenly',
    generate(seed) {
      const random = seeded(seed);
      const list = nodes(16, () => ({
        speed: Math.round(between(random, 8_000, 12_000)),
        cpus: 2,
        memoryBytes: 16 * GB,
      }));
      const jobs = times(800, () => ({
        home: list[Math.floor(random() ** 3 * list.length)].name,
        arrives: between(random, 0, 60) * SECOND,
        work: pareto(random, { least: 0.2, most: 200, exponent: 1.1 }) * SECOND,
        memoryBytes: small(random),
      }));
      return { nodes: list, jobs: numbered(jobs) };
    },
  },
  {
    name: 'mixed',
    what: '12 nodes of 4 CPUs and 8 GB; 240 jobs of 10 to 80 s on two of them: a fifth of them large (0.1 to 0.3 GB), a tenth of them live by input and output',
    generate(seed) {
      const random = seeded(seed);
      const list = nodes(12, () => ({ speed: 10_000, cpus: 4, memoryBytes: 8 * GB }));
      const jobs = times(240, (index) => ({
        home: pick(random, list.slice(0, 2)).name,
        arrives: between(random, 0, 30) * SECOND,
        work: between(random, 10, 80) * SECOND,
        callsPerWork: index % 10 === 0 ? 20 : 0.01,
        memoryBytes: index % 5 === 1 ? between(random, 0.1, 0.3) * GB : between(random, 2, 20) * MB,
      }));
      return { nodes: list, jobs: numbered(jobs) };
    },
  },
];

/**
 * No schedule can end sooner: all work that arrives from some moment on has to be done after it, and each job by one CPU.
 * With all jobs there at the beginning this is max(work ÷ speed, longest job ÷ fastest CPU).
 */
export function fluidBound({ nodes: list, jobs }: Scenario): number {
  const total = list.reduce((sum, { speed, cpus }) => sum + (speed / 10_000) * cpus, 0);
  const fastest = Math.max(...list.map(({ speed, cpus }) => (speed / 10_000) * Math.min(1, cpus)));
  let left = 0;
  let bound = 0;
  for (const { arrives, work } of jobs.toSorted((a, b) => b.arrives - a.arrives)) {
    left += work;
    bound = Math.max(bound, arrives + left / total, arrives + work / fastest);
  }
  return bound;
}
