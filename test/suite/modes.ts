/**
 * How a mode moves a running program. `home` never does, `remote` leaves it to mosrun; the others migrate by command.
 */
import type { Mode } from './case.ts';
import { RefusedError } from '../../src/wire/line_errors.ts';
import { moveFamily } from './family_moves.ts';
import { goesOn, pause, type Random, settleMs, type Trip } from './trip.ts';

/** After this, a program that mosrun placed is taken to have arrived, or to have been brought home by its own start. */
const arrivalMs = 300;
/** How long a process that is busy (arriving, on its way back) may refuse. */
const busyPatienceMs = 20_000;

/** Moves the program as `mode` asks, until it has ended; the number of migrations that succeeded. */
export async function moveAbout(mode: Mode, trip: Trip, random: Random): Promise<number> {
  if (trip.family !== undefined) return moveFamily(mode, { ...trip, family: trip.family }, random);
  switch (mode) {
    case 'home':
      return 0;
    case 'remote':
      return trip.schedule === 'early' ? 0 : placeAgain(trip);
    case 'moved':
      return trip.schedule === 'early' ? moveOnce(trip) : moveThereAndBack(trip, trip.schedule);
    case 'ping-pong':
      return wander(trip, trip.away, () => 500 + 1500 * random(), random);
    case 'chaos':
      return wander(trip, [...trip.away, 'home'], () => 20 + 180 * random(), random);
  }
}

async function moveOnce(trip: Trip): Promise<number> {
  await pause(settleMs, trip);
  return migrate(trip, trip.away[0]);
}

async function moveThereAndBack(
  trip: Trip,
  schedule: { readonly leave: number; readonly back: number },
): Promise<number> {
  await pause(schedule.leave * 1000, trip);
  const left = await migrate(trip, trip.away[0]);
  await pause((schedule.back - schedule.leave) * 1000, trip);
  return left + (await bringHome(trip));
}

/** A program that has come home by itself meanwhile is where it should be; the line says why it came. */
async function bringHome(trip: Trip): Promise<number> {
  try {
    return await migrate(trip, 'home');
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'not-away') return 1;
    throw error;
  }
}

/** A program that was placed at its start may have come home while it set things up: what it tests comes only now. */
async function placeAgain(trip: Trip): Promise<number> {
  await pause(arrivalMs, trip);
  const { away } = await trip.control.list();
  return away.some(({ pid }) => pid === trip.pid) ? 0 : migrate(trip, trip.away[0]);
}

function passes(code: string, trip: Trip): boolean {
  // On a busy machine it may be a while before we are told that a program has ended.
  return code === 'busy' || code === 'no-such-process' || (code === 'stays-home' && trip.mayStay === true);
}

async function wander(
  trip: Trip,
  nodes: readonly string[],
  nextPauseMs: () => number,
  random: Random,
): Promise<number> {
  let moves = 0;
  let where = 'home';
  await pause(settleMs, trip);
  while (goesOn(trip)) {
    const others = nodes.filter((node) => node !== where);
    const to = others[Math.floor(random() * others.length)];
    moves += to === 'home' ? await bringHome(trip) : await migrate(trip, to);
    where = to;
    await pause(nextPauseMs(), trip);
  }
  return moves;
}

/** 1 if it moved, 0 if the program had ended meanwhile; throws when the node refuses a program that still runs. */
async function migrate(trip: Trip, to: string): Promise<number> {
  const giveUp = Date.now() + busyPatienceMs;
  for (;;) {
    if (trip.ended.aborted) return 0;
    try {
      await trip.control.move(trip.pid, to);
      return 1;
    } catch (error) {
      await pause(100, trip); // its end and the refusal race: look after a moment whether it has ended
      if (trip.ended.aborted || trip.gone()) return 0;
      const busy = error instanceof RefusedError && passes(error.code, trip);
      if (!busy || Date.now() > giveUp) throw error;
    }
  }
}
