/**
 * How long a program stands still while it moves, by its own clock, against its memory and threads; and how fast its
 * memory travels. Beside it: the time that plain TCP takes for as many bytes on the same link.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostProcess } from '../bed/host_process.ts';
import type { MigrationResult } from '../suite/control.ts';
import { MeasureError, Place, untilReady } from './place.ts';
import type { Result } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

const KB = 1024;
const MB = 1024 * KB;

/** Round trips: fewer where each takes long. */
const sizes = [
  { name: '64KB', bytes: 64 * KB, trips: 15 },
  { name: '2MB', bytes: 2 * MB, trips: 15 },
  { name: '16MB', bytes: 16 * MB, trips: 15 },
  { name: '64MB', bytes: 64 * MB, trips: 10 },
  { name: '512MB', bytes: 512 * MB, trips: 5 },
] as const;
const threadCounts = [1, 8] as const;
const rawCount = 5;

/** Between two moves, so that what a move leaves behind does not count towards the next. */
const restMs = 200;
/** A gap belongs to a migration if it overlaps the time between command and answer, with this margin. */
const marginMs = 20;

interface Move extends MigrationResult {
  readonly direction: 'out' | 'back';
  /** CLOCK_REALTIME of command and answer, in milliseconds. */
  readonly from: number;
  readonly to: number;
}

interface Gap {
  readonly startMs: number;
  readonly lengthMs: number;
}

export async function* measureFreeze(): AsyncGenerator<Result> {
  await using place = await Place.start('apart');
  for (const size of sizes) {
    const raw =
      median(await place.exchange(place.home, { request: size.bytes, reply: 1 }, { count: rawCount, wait: 'block' })) /
      1e6;
    for (const threads of threadCounts) {
      const name = `${size.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
      const running = place.start('gap', String(size.bytes), String(threads));
      await untilReady(running, name);
      const moves = await moveToAndFro(place, running, size.trips);
      running.kill('SIGTERM');
      const gaps = (await place.collect(running, name)).map(([start, length]): Gap => ({
        startMs: start / 1e6,
        lengthMs: length / 1e6,
      }));
      yield* summarise({ name, moves, gaps, raw, place });
    }
  }
}

async function moveToAndFro(place: Place, running: HostProcess, trips: number): Promise<Move[]> {
  const moves: Move[] = [];
  for (let trip = 0; trip < trips; trip++) {
    for (const direction of ['out', 'back'] as const) {
      await sleep(restMs);
      const from = Date.now();
      const result = await place.migrate(running.pid, direction === 'out' ? 'away' : 'home');
      moves.push({ ...result, direction, from, to: Date.now() });
    }
  }
  await sleep(restMs);
  return moves;
}

interface Series {
  readonly name: string;
  readonly moves: readonly Move[];
  readonly gaps: readonly Gap[];
  /** Milliseconds that plain TCP takes for the program's memory. */
  readonly raw: number;
  readonly place: Place;
}

function* summarise({ name, moves, gaps, raw, place }: Series): Generator<Result> {
  const common = { bench: 'freeze', raw: rounded(raw), placement: `${place.description}; raw: TCP, blocking` };
  for (const direction of ['out', 'back'] as const) {
    const chosen = moves.filter((move) => move.direction === direction);
    const freezes = chosen.map((move) => gapOf(move, gaps, name));
    yield {
      ...common,
      case: `${name}, ${direction}`,
      unit: 'ms',
      ...figures(freezes),
      ratio: rounded(median(freezes) / raw),
    };
    const totals = chosen.map((move) => move.totalMs);
    yield {
      ...common,
      case: `${name}, ${direction}, whole move`,
      unit: 'ms',
      ...figures(totals),
      ratio: rounded(median(totals) / raw),
    };
  }
}

/** The longest time that the program stood still around a migration. */
function gapOf(move: Move, gaps: readonly Gap[], name: string): number {
  const during = gaps.filter(
    ({ startMs, lengthMs }) => startMs < move.to + marginMs && startMs + lengthMs > move.from - marginMs,
  );
  if (during.length === 0)
    throw new MeasureError(`the freeze of ${name}`, 'the program noticed no gap: it cannot have moved');
  return Math.max(...during.map(({ lengthMs }) => lengthMs));
}

function figures(values: readonly number[]): { n: number; median: number; p95: number } {
  return { n: values.length, median: rounded(median(values)), p95: rounded(percentile(values, 0.95)) };
}
