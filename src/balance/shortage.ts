/**
 * Memory ushering: when a node runs short of memory, something leaves it before the kernel has to end something, whatever
 * that means for the CPUs. The smallest process whose move suffices goes, to where most memory is left; if none suffices
 * alone, the largest goes first.
 */
import type { Candidate } from './candidate.ts';
import { obstacle, type Site } from './site.ts';

export interface Rescue {
  readonly candidate: Candidate;
  readonly to: string;
  readonly shortBytes: number;
  /** It suffices alone. */
  readonly enough: boolean;
}

/**
 * @param movable What may be moved now; a process that rests for the sake of the CPU may.
 * @returns undefined if no node is short, or none of its processes can help
 */
export function rescue(movable: readonly Candidate[], sites: readonly Site[]): Rescue | undefined {
  const home = sites.find((site) => site.home);
  if (home === undefined) return undefined;
  for (const short of sites.filter((site) => site.memoryShort > 0 && site.fixed === undefined)) {
    const options = movable
      .filter((one) => one.where === short.name && one.memoryBytes > 0)
      .flatMap((candidate) => {
        const to = roomiest(candidate, sites, home);
        return to === undefined ? [] : [{ candidate, to }];
      });
    if (options.length === 0) continue;
    const enough = options.filter(({ candidate }) => candidate.memoryBytes >= short.memoryShort);
    const sorted = (enough.length > 0 ? enough : options).toSorted(
      (a, b) => a.candidate.memoryBytes - b.candidate.memoryBytes,
    );
    // cast: there is at least one
    const { candidate, to } = (enough.length > 0 ? sorted.at(0) : sorted.at(-1)) as (typeof sorted)[number];
    return { candidate, to: to.name, shortBytes: short.memoryShort, enough: enough.length > 0 };
  }
  return undefined;
}

function roomiest(candidate: Candidate, sites: readonly Site[], home: Site): Site | undefined {
  return sites
    .filter((site) => site.name !== candidate.where && obstacle(candidate, site, home) === undefined)
    .toSorted((a, b) => b.memoryFree - a.memoryFree)
    .at(0);
}
