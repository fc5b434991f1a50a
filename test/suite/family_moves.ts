/**
 * How a mode moves a program that is a job of many processes: `moved` and `ping-pong` move all of it, as `mosmigrate -J`
 * does, and what it starts from then on goes the same way. `chaos` moves members one by one, each to a node of its own.
 */
import { RefusedError } from '../../src/wire/line_errors.ts';
import type { Mode } from './case.ts';
import { goesOn, pause, type Random, settleMs, type Trip } from './trip.ts';

type FamilyTrip = Trip & { readonly family: string };

/** The number of migrations that succeeded, over all members. */
export async function moveFamily(mode: Mode, trip: FamilyTrip, random: Random): Promise<number> {
  if (mode === 'home' || mode === 'remote') return 0; // mosrun places it
  await hasBegun(trip);
  await pause(settleMs, trip);
  const moves = await moveJob(trip, trip.away[0]);
  if (mode === 'ping-pong') return moves + (await wanderTogether(trip, random));
  if (mode === 'chaos') return moves + (await scatter(trip, random));
  return moves;
}

/** On a busy machine mosrun itself may take longer than a program is given to settle. */
async function hasBegun(trip: FamilyTrip): Promise<void> {
  const begun = async (): Promise<boolean> => (await trip.control.jobs()).some(({ tag }) => tag === trip.family);
  while (!trip.ended.aborted && !(await begun())) await pause(20, trip);
}

async function wanderTogether(trip: FamilyTrip, random: Random): Promise<number> {
  let moves = 0;
  for (let at = 1; goesOn(trip); at += 1) {
    await pause(500 + 1500 * random(), trip);
    moves += await moveJob(trip, trip.away[at % trip.away.length]);
  }
  return moves;
}

async function scatter(trip: FamilyTrip, random: Random): Promise<number> {
  let moves = 0;
  while (goesOn(trip)) {
    await pause(20 + 180 * random(), trip);
    moves += await moveMember(trip, random);
  }
  return moves;
}

/** A member that is not where it was sent is a failure; one that has ended is not, and mosd does not name it. */
async function moveJob({ control, family, ended }: FamilyTrip, to: string): Promise<number> {
  if (ended.aborted) return 0;
  try {
    const { moved, stayed } = await control.migrateJob(family, to);
    const left = stayed.map(({ pid, why }) => `${pid}: ${why}`);
    if (left.length > 0 && !ended.aborted) throw new Error(`Cannot move job ${family} to ${to}: ${left.join('; ')}`);
    return moved.length;
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'no-such-process') return 0; // the job has ended
    throw error;
  }
}

/** Any member, to any node but the one that it is on. */
async function moveMember({ control, family, away }: FamilyTrip, random: Random): Promise<number> {
  const job = (await control.jobs()).find(({ tag }) => tag === family);
  if (job === undefined || job.processes.length === 0) return 0;
  const pid = job.processes[Math.floor(random() * job.processes.length)];
  const where = (await control.list()).away.find((row) => row.pid === pid)?.where ?? 'home';
  const others = [...away, 'home'].filter((node) => node !== where);
  try {
    await control.move(pid, others[Math.floor(random() * others.length)]);
    return 1;
  } catch (error) {
    // It is arriving, has come home to execute a program, or has ended: the next one is another.
    if (error instanceof RefusedError && passing.has(error.code)) return 0;
    throw error;
  }
}

const passing: ReadonlySet<string> = new Set(['busy', 'not-away', 'no-such-process']);
