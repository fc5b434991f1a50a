/** One scenario under one policy, to its end, with the checks that hold for all. */
import { SimulatedCluster, type Job } from './cluster.ts';
import { check } from './checks.ts';
import { POLICIES, type Policy, type PolicyContext } from './policies.ts';
import { seeded } from './random.ts';
import { fluidBound, type Scenario } from './scenarios.ts';

export interface Outcome {
  /** Milliseconds until the last job has ended. */
  readonly makespan: number;
  /** Of the fluid bound. */
  readonly ratio: number;
  /** Of each job, in the mean. */
  readonly moves: number;
  readonly jobs: readonly Job[];
}

const STEP_MS = 100;
/** Times the bound after which a run counts as stuck. */
const PATIENCE = 50;

export function run(
  scenario: Scenario,
  policy: string | ((context: PolicyContext) => Policy),
  { seed, each }: { seed: number; each?: (cluster: SimulatedCluster) => void },
): Outcome {
  const cluster = new SimulatedCluster(scenario.nodes);
  const make = typeof policy === 'string' ? POLICIES[policy] : policy;
  const acting = make({ cluster, random: seeded(seed ^ 0x5eed) });
  const waiting = scenario.jobs.toSorted((a, b) => a.arrives - b.arrives);
  const bound = fluidBound(scenario);
  while (waiting.length > 0 || cluster.jobs.some(({ endedAt }) => endedAt === undefined)) {
    acting.tick();
    for (let next = waiting[0]; next !== undefined && next.arrives <= cluster.now; next = waiting[0]) {
      cluster.begin(next, acting.place(next));
      waiting.shift();
    }
    cluster.step(STEP_MS);
    check(cluster, scenario, waiting.length);
    each?.(cluster);
    if (cluster.now > PATIENCE * bound) throw new Error(`Cannot finish: jobs run after ${PATIENCE} times the bound`);
  }
  const makespan = Math.max(...cluster.jobs.map(({ endedAt = Infinity }) => endedAt));
  const moves = cluster.jobs.reduce((sum, job) => sum + job.moves, 0) / cluster.jobs.length;
  return { makespan, ratio: makespan / bound, moves, jobs: cluster.jobs };
}
