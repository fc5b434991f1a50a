/** Chance that a seed determines: mulberry32, and what scenarios draw with it. */

export type Random = () => number;

/** @param seed 32 bits */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function between(random: Random, low: number, high: number): number {
  return low + random() * (high - low);
}

/** Bounded Pareto: the lifetimes of real processes have a tail like this, with an exponent near 1. */
export function pareto(
  random: Random,
  { least, most, exponent }: { least: number; most: number; exponent: number },
): number {
  const ratio = (least / most) ** exponent;
  return least / (1 - random() * (1 - ratio)) ** (1 / exponent);
}

export function pick<T>(random: Random, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)];
}
