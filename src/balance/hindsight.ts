/** Whether a move was worth it: how fast a process was before, was to become, and became. */
import type { Candidate } from './candidate.ts';
import type { Proposal } from './balancer.ts';

export interface Gain {
  readonly pid: number;
  readonly from: string;
  readonly to: string;
  /** Times faster. */
  readonly predicted: number;
  readonly came: number;
}

/** Milliseconds until one looks: some half-lives of the meters behind the move. */
export const LOOK_AFTER_MS = 6_000;

interface Pending {
  readonly proposal: Proposal;
  readonly at: number;
  /** Standard CPUs that it had. */
  readonly before: number;
}

export class Hindsight {
  readonly #pending = new Map<number, Pending>();

  /** @param speed Of the node that it leaves. */
  moved(proposal: Proposal, at: number, speed: number): void {
    if (proposal.figures === undefined) return;
    this.#pending.set(proposal.candidate.pid, { proposal, at, before: progressOf(proposal.candidate, speed) });
  }

  /** What can be said by now. @param speedOf Of a node, if it is known. */
  look(now: number, candidates: readonly Candidate[], speedOf: (node: string) => number | undefined): Gain[] {
    const gains: Gain[] = [];
    for (const [pid, { proposal, at, before }] of this.#pending) {
      if (now - at < LOOK_AFTER_MS) continue;
      this.#pending.delete(pid);
      const found = candidates.find((one) => one.pid === pid);
      const speed = speedOf(proposal.to);
      // It has ended or gone on: nothing to compare.
      if (found === undefined || found.where !== proposal.to || speed === undefined || before <= 0) continue;
      const { progressHere, progressThere } = proposal.figures ?? { progressHere: 1, progressThere: 1 };
      gains.push({
        pid,
        from: proposal.from,
        to: proposal.to,
        predicted: progressThere / progressHere,
        came: progressOf(found, speed) / before,
      });
    }
    return gains;
  }
}

function progressOf({ cpus }: Candidate, speed: number): number {
  return (cpus * speed) / 10_000;
}
