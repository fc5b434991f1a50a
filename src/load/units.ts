/**
 * The units of load, as in MOSIX: a CPU of standard speed (the yardstick) has speed 10000, and one task that computes
 * on it without pause makes a load of 100. Twice the CPUs, or twice the speed: half the load.
 */

export const STANDARD_SPEED = 10_000;
const LOAD_OF_ONE_TASK = 100;

/** What of a machine counts for load. */
export interface Power {
  /** Of one CPU; 10000 is standard. */
  readonly speed: number;
  /** Those that may be used, in fractions: quotas count. */
  readonly cpus: number;
}

/** @param demand Tasks that run or want to run, on the average. */
export function loadOf({ speed, cpus }: Power, demand: number): number {
  return (LOAD_OF_ONE_TASK * demand * STANDARD_SPEED) / (cpus * speed);
}

/** The inverse of `loadOf`. */
export function demandOf({ speed, cpus }: Power, load: number): number {
  return (load * cpus * speed) / (LOAD_OF_ONE_TASK * STANDARD_SPEED);
}

/** The part of a CPU that each of so many tasks gets, if all are treated alike. */
export function shareOf(cpus: number, demand: number): number {
  return Math.min(1, cpus / Math.max(1, demand));
}
