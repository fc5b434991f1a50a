/** What `npm run sim` can run. */

export interface SimulationOptions {
  /** How many nodes; undefined: as many as the scenario says. */
  readonly nodes: number | undefined;
  readonly seed: number;
  /** How many seeds, from `seed` on; undefined: as many as the scenario says. */
  readonly seeds: number | undefined;
  /** Simulated seconds; undefined: as many as the scenario says. */
  readonly seconds?: number | undefined;
  /** Entries in an exchange of gossip; undefined: what the scenario or the protocol chooses. */
  readonly window?: number | undefined;
  readonly json: boolean;
  /** Also prints figures now and then. */
  readonly progress?: boolean;
  readonly print: (line: string) => void;
}

/** @returns whether all checks held */
export type Simulation = (options: SimulationOptions) => boolean;
