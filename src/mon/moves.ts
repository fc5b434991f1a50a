/** Moves as they happen: found by comparing what was where with what is where now. */
import type { ProcessFigures } from './picture.ts';

export interface Move {
  /** Time of day, as it is to be shown. */
  at: string;
  pid: number;
  comm: string;
  from: string;
  to: string;
}

/** Shown at most; older ones are forgotten. */
export const MOVES_KEPT = 200;

/** Processes that are new were not seen to move, and those that are gone have ended. */
export function movesBetween(before: readonly ProcessFigures[], after: readonly ProcessFigures[], at: string): Move[] {
  const places = new Map(before.map((one) => [keyOf(one), one.where]));
  return after.flatMap((one) => {
    const from = places.get(keyOf(one));
    const { pid, comm, where } = one;
    return from === undefined || from === where ? [] : [{ at, pid, comm, from, to: where }];
  });
}

/** Process ids are those at home: two nodes may have the same. */
function keyOf({ home, pid }: ProcessFigures): string {
  return `${home}/${pid}`;
}
