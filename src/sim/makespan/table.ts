/** The balancers side by side: how much longer than the fluid bound they take, in the median of all seeds. */
import type { SimulationOptions } from '../simulation.ts';
import { POLICIES } from './policies.ts';
import { run } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const SEEDS = 20;
/** Ours must not take longer than this, in the median, as a multiple of the bound. */
const GOAL = 1.15;

export interface Row {
  readonly scenario: string;
  readonly policy: string;
  readonly median: number;
  readonly worst: number;
  /** Of a job, in the mean. */
  readonly moves: number;
  /** Of the job that moved most, in the median of the seeds. */
  readonly mostMoves: number;
}

/** `npm run sim -- makespan`. @returns whether ours reaches the goal and beats all others, in each scenario */
export function makespan({ seed, seeds = SEEDS, json, print }: SimulationOptions): boolean {
  const rows: Row[] = [];
  for (const scenario of SCENARIOS) {
    for (const policy of Object.keys(POLICIES)) {
      const outcomes = Array.from({ length: seeds }, (_, index) =>
        run(scenario.generate(seed + index), policy, { seed: seed + index }),
      );
      const ratios = outcomes.map(({ ratio }) => ratio);
      const most = outcomes.map(({ jobs }) => Math.max(...jobs.map((job) => job.moves)));
      const row = {
        scenario: scenario.name,
        policy,
        median: median(ratios),
        worst: Math.max(...ratios),
        moves: median(outcomes.map(({ moves }) => moves)),
        mostMoves: median(most),
      };
      rows.push(row);
      if (json) print(JSON.stringify(row));
    }
    if (!json) print(line(scenario.name, rows));
  }
  return SCENARIOS.every(({ name }) => holds(rows.filter(({ scenario }) => scenario === name)));
}

function holds(rows: readonly Row[]): boolean {
  const ours = rows.find(({ policy }) => policy === 'ours');
  if (ours === undefined || ours.median > GOAL) return false;
  return rows.every((row) => row === ours || ours.median < row.median);
}

function line(scenario: string, rows: readonly Row[]): string {
  const cells = rows
    .filter((row) => row.scenario === scenario)
    .map(
      ({ policy, median: middle, worst, moves }) =>
        `${policy} ${middle.toFixed(2)} (worst ${worst.toFixed(2)}, ${moves.toFixed(1)} moves)`,
    );
  return `${scenario.padEnd(10)} ${cells.join('   ')}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
