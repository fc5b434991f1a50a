/** Whether a run passes: same output, same status, and it really was away. All faults are named, not only the first. */
import type { CpuSnapshot } from './accounting.ts';
import type { Case, Mode } from './case.ts';
import type { Ended } from './running.ts';

/** What a run at home without any of our commands gave. */
export interface Reference extends Ended {
  readonly digest: string;
  readonly complaint: string;
}

export interface Found {
  readonly end: Ended;
  /** Why a migration by command was refused; empty if none was. */
  readonly refused: string;
  readonly moves: number;
  /** CPU time after the first second. */
  readonly used: CpuSnapshot;
  readonly digest: string;
  /** What a program that checks itself had to say. */
  readonly complaint: string;
  /** Why it came home by itself. */
  readonly reasons: Readonly<Record<string, number>>;
}

type Rules = Pick<Case, 'shareAway' | 'schedule' | 'ends' | 'staysAway'> & {
  readonly movesWanted?: number | undefined;
};

const movesWanted: Readonly<Record<Mode, number>> = { home: 0, remote: 1, moved: 1, 'ping-pong': 5, chaos: 5 };

/** Home is one of the three nodes that chance sends it to. */
const chaosShare = 1 / 2;

export function judge(rules: Rules, mode: Mode, reference: Reference, found: Found): string[] {
  const faults = [...outcomeFaults(rules, reference, found)];
  if (found.refused !== '') faults.push(found.refused);
  if (mode === 'home') return faults;
  const wanted = rules.movesWanted ?? (mode === 'moved' && rules.schedule !== 'early' ? 2 : movesWanted[mode]);
  if (found.moves < wanted) faults.push(`moved ${found.moves} times, ${wanted} wanted`);
  const reasons = Object.keys(found.reasons);
  if (rules.staysAway && reasons.length > 0) faults.push(`came home by itself: ${reasons.join(', ')}`);
  const { home, away } = found.used;
  const share = home + away > 0 ? away / (home + away) : 0;
  const shareWanted = mode === 'chaos' ? rules.shareAway * chaosShare : rules.shareAway;
  if (share < shareWanted) {
    faults.push(`${percent(share)} of its CPU time was used on other hosts, ${percent(shareWanted)} wanted`);
  }
  return faults;
}

/**
 * Whether the program did something else than at home, which nothing excuses. That it was away too little, or that a wait ended
 * late, may be for lack of CPU.
 */
export function isWrong(rules: Rules, reference: Reference, found: Found): boolean {
  if (found.complaint.includes(' ended late: ')) return false;
  return !outcomeFaults(rules, reference, found).next().done;
}

function* outcomeFaults(rules: Rules, reference: Reference, found: Found): Generator<string> {
  if (rules.ends !== undefined && reference.status !== rules.ends) {
    yield `ended with ${reference.status} at home without us, ${rules.ends} expected: ${reference.complaint}`;
  }
  if (found.end.status === 'hang') yield `still ran after ${Math.round(found.end.seconds)} s and was killed`;
  else if (found.end.status !== reference.status)
    yield `ended with ${found.end.status}, at home with ${reference.status}`;
  else if (found.digest !== reference.digest) yield 'the output differs from that at home';
  if (found.complaint !== '') yield found.complaint;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
