/**
 * One case in one mode: started, moved about, its output compared with the reference run, and judged really away or not.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuBetween, type CpuSnapshot, takeCpuSnapshot } from './accounting.ts';
import type { Case, Line, Mode } from './case.ts';
import { saveFailure } from './evidence.ts';
import { isWrong, judge, type Reference } from './judge.ts';
import type { Lab } from './lab.ts';
import { moveAbout } from './modes.ts';
import { clear, digestOf, type Ended, Running } from './running.ts';
import type { Random } from './trip.ts';
import { Watch } from './watch.ts';

export interface Setting {
  readonly suite: string;
  readonly lab: Lab;
  readonly random: Random;
  /** Directory for the evidence of failures. */
  readonly evidence: string;
  /** When it fires, programs are moved no more. */
  readonly enough?: AbortSignal;
  /** How often it must have moved, if not as its mode says. */
  readonly movesWanted?: number;
}

/** A case is given this many times its time at home, and a minute: a slow run is reported as slow, a hanging one ends. */
const patienceFactor = 6;
const patienceSeconds = 60;
const referencePatienceSeconds = 180;
const firstSecondMs = 1000;

/** Runs the case on the home host without any of our commands; as briefly as its output allows. */
export async function runReference(lab: Lab, whole: Case): Promise<Reference> {
  const one = whole.brief ?? whole;
  await clear(lab, one);
  const running = new Running(lab, one, []);
  const told = running.becomeReady().then(() => running.stimulate());
  const end = await running.end(referencePatienceSeconds);
  await told;
  return { ...end, digest: await digestOf(lab, one), complaint: running.complaint() };
}

export async function runCase(setting: Setting, one: Case, mode: Mode, reference: Reference): Promise<Line> {
  const { lab } = setting;
  await clear(lab, one);
  const before = takeCpuSnapshot(lab.hosts, lab.home.name);
  const running = new Running(lab, one, launcherOf(lab, one, mode));
  const firstSecond = snapshotLater(lab, running.ended);
  const journey = travel(setting, one, mode, running);
  const patience = patienceSeconds + patienceFactor * reference.seconds;
  const where = { lab, one, mode, pid: running.pid, root: setting.evidence };
  const end = await running.end(patience, () => saveFailure(where));
  const after = takeCpuSnapshot(lab.hosts, lab.home.name);
  const { moves, refused, watch } = await journey;
  const used = cpuBetween((await firstSecond) ?? before, after);
  const digest = end.status === 'hang' ? '' : await digestOf(lab, one);
  const found = {
    end,
    refused,
    moves: Math.max(moves, watch.moves),
    used,
    digest,
    complaint: running.complaint(),
    reasons: watch.reasons,
  };
  const rules = { ...one, movesWanted: setting.movesWanted };
  const faults = judge(rules, mode, reference, found);
  if (faults.length > 0) faults.push(`see ${await saveFailure(where)}`);
  return {
    suite: setting.suite,
    case: one.name,
    mode,
    ...figures({ end, watch, used }),
    moves: found.moves,
    secondsHome: round(reference.seconds),
    ok: faults.length === 0,
    wrong: isWrong(rules, reference, found),
    why: faults.join('; '),
  };
}

interface Journey {
  readonly moves: number;
  /** Why a migration by command was refused; empty if none was. */
  readonly refused: string;
  readonly watch: Watch;
}

/** Everything that happens to the program while it runs. */
async function travel(setting: Setting, one: Case, mode: Mode, running: Running): Promise<Journey> {
  const { control, hosting } = setting.lab;
  await running.becomeReady();
  const pid = running.pidToMove();
  const family = one.family ? one.name : undefined;
  const watch = new Watch(control, (row) => (family === undefined ? row.pid === pid : row.job === family));
  const away = hosting.map((host) => host.name);
  const { enough } = setting;
  const { schedule, mayStay } = one;
  const gone = (): boolean => !existsSync(setting.lab.home.outsidePath(`/proc/${pid}`));
  const trip = { control, pid, family, away, schedule, mayStay, ended: running.ended, enough, gone };
  const moving = moveAbout(mode, trip, setting.random).then(
    (moves) => ({ moves, refused: '' }),
    (error: unknown) => ({ moves: 0, refused: error instanceof Error ? error.message : String(error) }),
  );
  const [moved] = await Promise.all([moving, watch.run(running.ended), running.stimulate()]);
  return { ...moved, watch };
}

function launcherOf(lab: Lab, one: Case, mode: Mode): readonly string[] {
  const job = one.family ? ['-J', one.name] : [];
  if (mode === 'home') return [lab.mosrun, '-h', ...job];
  // Where another process than the started one is to move, mosrun would place the wrong one.
  const inside = !one.movesAnother || one.launcherAt !== undefined;
  if (mode === 'remote' && inside) return [lab.mosrun, '-r', lab.hosting[0].name, ...job];
  // A family is moved as a job; else it is an ordinary program that was never told of us.
  return one.family ? [lab.mosrun, ...job] : [];
}

async function snapshotLater(lab: Lab, ended: AbortSignal): Promise<CpuSnapshot | undefined> {
  try {
    await sleep(firstSecondMs, undefined, { signal: ended });
  } catch {
    return undefined;
  }
  return takeCpuSnapshot(lab.hosts, lab.home.name);
}

function figures({ end, watch, used }: { end: Ended; watch: Watch; used: CpuSnapshot }) {
  return {
    comeHome: watch.comeHome,
    reasons: watch.reasons,
    forwarded: watch.forwarded,
    cpu: round(used.home + used.away),
    cpuAway: round(used.away),
    seconds: round(end.seconds),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
