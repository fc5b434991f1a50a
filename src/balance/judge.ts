/**
 * What a move would bring: the time that a process still needs where it is, less the time that it would need elsewhere and
 * what the move costs.
 *
 * How long a process will run nobody knows. What is known of programs as such: whatever has run for t runs for another t, in
 * the median (Harchol-Balter and Downey, "Exploiting process lifetime distributions for dynamic load balancing", 1997). So
 * what is young is not worth much trouble, and what is old is worth it even if the gain is small.
 */
import type { Candidate } from './candidate.ts';
import { obstacle, stretchOf, type Site } from './site.ts';
import type { Tunables } from './tunables.ts';

/** The figures behind a decision; times in milliseconds, demands in tasks. */
export interface Figures {
  readonly demandHere: number;
  readonly demandThere: number;
  /** Progress here and there, in standard CPUs for each of its tasks. */
  readonly progressHere: number;
  readonly progressThere: number;
  /** For how long it is expected to go on where it is. */
  readonly horizonMs: number;
  readonly costMs: number;
  readonly gainMs: number;
  /** What the gain has to be, to be worth it. */
  readonly neededMs: number;
}

export interface Judgement {
  readonly candidate: Candidate;
  /** Where it would be best; absent if nowhere else is possible. */
  readonly to?: string;
  readonly figures?: Figures;
  readonly move: boolean;
  /** A half-sentence: "it stays at n2: …". */
  readonly why: string;
}

/** What moving costs, from what it has cost lately. */
export interface MoveCost {
  /** Milliseconds for a process without memory. */
  readonly fixedMs: number;
  bytesPerMs(node: string): number;
}

export interface JudgeContext {
  readonly sites: readonly Site[];
  readonly cost: MoveCost;
  readonly tunables: Tunables;
  readonly random: () => number;
  /** Why it may not move just now (residency, a failed attempt); undefined if it may. */
  readonly resting: (candidate: Candidate) => string | undefined;
}

export function judge(candidate: Candidate, context: JudgeContext): Judgement {
  const { sites, tunables } = context;
  const stays = (why: string): Judgement => ({ candidate, move: false, why });
  const here = sites.find(({ name }) => name === candidate.where);
  const home = sites.find((site) => site.home);
  if (here === undefined || home === undefined) return stays('nothing is known of the node where it is');
  if (candidate.bound !== undefined) return stays(candidate.bound);
  if (here.fixed !== undefined) return stays(here.fixed);
  if (here.home && candidate.runnableMs < tunables.provenMs) return stays('it has not computed for long enough yet');
  // What is away and waits for its calls has little demand because it is away: at home it would have more.
  if (here.home && candidate.demand < tunables.least) return stays('it does not compute');
  const resting = context.resting(candidate);
  if (resting !== undefined) return stays(resting);
  const others = sites.filter((site) => site !== here);
  const possible = others.filter((site) => obstacle(candidate, site, home) === undefined);
  if (possible.length === 0) return stays(nowhere(candidate, others, home));
  return best(candidate, { here, possible }, context);
}

function best(
  candidate: Candidate,
  { here, possible }: { here: Site; possible: readonly Site[] },
  context: JudgeContext,
): Judgement {
  const { tunables, random } = context;
  const options = possible.map((site) => ({ site, figures: figuresOf(candidate, { here, there: site }, context) }));
  const top = Math.max(...options.map(({ figures }) => figures.gainMs));
  const near = options.filter(({ figures }) => figures.gainMs >= top - Math.abs(top) * tunables.nearBest);
  const { site, figures } = near[Math.floor(random() * near.length)];
  const move = figures.gainMs > figures.neededMs;
  const saved = `${Math.round(figures.gainMs)} ms of the next ${Math.round(figures.horizonMs)}`;
  const why = move
    ? `on ${site.name} it saves ${saved}`
    : figures.gainMs <= 0
      ? `nowhere else it would be done sooner (next best ${site.name})`
      : `on ${site.name} it would save ${saved}, less than the ${Math.round(figures.neededMs)} ms that make it worth while`;
  return { candidate, to: site.name, figures, move, why };
}

export function figuresOf(
  candidate: Candidate,
  { here, there }: { here: Site; there: Site },
  { cost, tunables }: Pick<JudgeContext, 'cost' | 'tunables'>,
): Figures {
  const [stretchHere, stretchThere] = [stretchOf(candidate, here), stretchOf(candidate, there)];
  const horizonMs = Math.min(Math.max(candidate.runnableMs, tunables.provenMs), tunables.longestHorizonMs);
  const costMs = cost.fixedMs + candidate.memoryBytes / cost.bytesPerMs(there.name);
  const gainMs = horizonMs * (1 - stretchThere / stretchHere) - costMs;
  return {
    demandHere: here.demand,
    demandThere: there.demand,
    progressHere: 1 / stretchHere,
    progressThere: 1 / stretchThere,
    horizonMs,
    costMs,
    gainMs,
    neededMs: Math.max(costMs, horizonMs * tunables.margin),
  };
}

function nowhere(candidate: Candidate, others: readonly Site[], home: Site): string {
  if (others.length === 0) return 'there is no other node';
  const reasons = others.map((site) => `${site.name}: ${obstacle(candidate, site, home) ?? ''}`);
  const shown = reasons.slice(0, 4).join('; ');
  return `no other node can take it (${shown}${reasons.length > 4 ? `; and ${reasons.length - 4} more` : ''})`;
}
