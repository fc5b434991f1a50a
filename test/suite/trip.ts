/** What the ways of moving a running program have in common: whom, where to, until when, and chance. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case } from './case.ts';
import type { Control } from './control.ts';

export interface Trip {
  readonly control: Control;
  readonly pid: number;
  /** The name of its job, if all of that is to move. */
  readonly family?: string;
  /** Names of the hosting nodes. */
  readonly away: readonly string[];
  readonly schedule: Case['schedule'];
  /** Fires when the program has ended. */
  readonly ended: AbortSignal;
  /** When it fires, the program is moved no more. */
  readonly enough?: AbortSignal | undefined;
  /** What it does may keep it home for a while. */
  readonly mayStay?: boolean;
  /** Whether the process that is moved is no more; who started it may live on for a while. */
  gone(): boolean;
}

/** Between 0 and 1. `mulberry32`: small, and the same for the same seed everywhere. */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fisher and Yates: every order is equally likely. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items];
  for (let left = out.length - 1; left > 0; left--) {
    const other = Math.floor(random() * (left + 1));
    [out[left], out[other]] = [out[other], out[left]];
  }
  return out;
}

/** A program is given this long to get past its start (dynamic linking, opening its files) before it is moved. */
export const settleMs = 400;

/** Whether it is to be moved again. */
export function goesOn({ ended, enough }: Trip): boolean {
  return !ended.aborted && enough?.aborted !== true;
}

/** Ends early when the program has ended. */
export async function pause(milliseconds: number, trip: Trip): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: trip.ended });
  } catch {
    // it has ended: the caller looks at the signal
  }
}
