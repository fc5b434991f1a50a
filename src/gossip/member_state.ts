/** States of a member as small numbers, since there may be a hundred million of them in a simulation. */
import type { MemberState } from './entry.ts';

export const STATE = { unknown: 0, alive: 1, suspect: 2, dead: 3, left: 4 } as const;

const NAMES: readonly (MemberState | undefined)[] = [undefined, 'alive', 'suspect', 'dead', 'left'];

/** Undefined for unknown. */
export function stateName(state: number): MemberState | undefined {
  return NAMES[state];
}

/** Takes part: is counted, asked and told about. A suspect does, until the verdict. */
export function takesPart(state: number): boolean {
  return state === STATE.alive || state === STATE.suspect;
}
