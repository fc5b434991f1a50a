/** The numbers that the balancer goes by. All have been chosen in the simulator (`npm run sim -- makespan`). */

export interface Tunables {
  /** Milliseconds of running or waiting for a CPU until a process leaves home. Larger: starts are cheaper; smaller: bursts spread sooner. */
  readonly provenMs: number;
  /** Milliseconds that a process stays after a move, times two for each further one. Larger: calmer; smaller: follows sooner. */
  readonly residencyMs: number;
  readonly longestResidencyMs: number;
  /** Part of the time that is expected to be left which a move has to save. Larger: fewer moves; smaller: closer to even. */
  readonly margin: number;
  /** A demand below this is no computing: there is nothing to gain. */
  readonly least: number;
  /** Parts of the best gain: what comes so close to it is as good, and one of them is drawn. */
  readonly nearBest: number;
  /** Milliseconds that is looked ahead at most, however old a process is. */
  readonly longestHorizonMs: number;
  /** Milliseconds for which a node that has refused, or could not be reached, is left alone. */
  readonly refusedMs: number;
  /** Milliseconds for which a process that could not leave is left alone; times two each time, up to the longest. */
  readonly restMs: number;
  readonly longestRestMs: number;
}

export const TUNABLES: Tunables = {
  provenMs: 1_000,
  residencyMs: 3_000,
  longestResidencyMs: 60_000,
  margin: 0.1,
  least: 0.25,
  nearBest: 0.05,
  longestHorizonMs: 600_000,
  refusedMs: 1_500,
  restMs: 5_000,
  longestRestMs: 120_000,
};
