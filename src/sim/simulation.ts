/** What `npm run sim` can run. */

export interface SimulationOptions {
  /** How many nodes; undefined: as many as the scenario says. */
  readonly nodes: number | undefined;
  readonly seed: number;
  /** How many seeds, from `seed` on; undefined: as many as the scenario says. */
  readonly seeds: number | undefined;
  readonly json: boolean;
  readonly print: (line: string) => void;
}

/** @returns whether all checks held */
export type Simulation = (options: SimulationOptions) => boolean;
