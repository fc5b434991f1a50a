/**
 * How long a program stands still while it moves, by its own clock, against its memory and threads; and how fast its
 * memory travels. Beside it: the time that plain TCP takes for as many bytes on the same link.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostProcess } from '../bed/host_process.ts';
import type { MoveResult } from '../../src/wire/engine_protocol.ts';
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
/** Below, the time of a move is that of its round trips. */
const throughputFrom = 16 * MB;

/** Between two moves, so that what a move leaves behind does not count towards the next. */
const restMs = 200;
/** A gap belongs to a migration if it overlaps the time between command and answer, with this margin. */
const marginMs = 20;

interface Move extends Pick<MoveResult, 'totalMs' | 'bytes'> {
  readonly direction: 'out' | 'back';
  /** CLOCK_REALTIME of command and answer, in milliseconds. */
  readonly asked: number;
  readonly answered: number;
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
      yield* summarise({ name, bytes: size.bytes, moves, gaps, raw, place });
    }
  }
}

async function moveToAndFro(place: Place, running: HostProcess, trips: number): Promise<Move[]> {
  const moves: Move[] = [];
  for (let trip = 0; trip < trips; trip++) {
    for (const direction of ['out', 'back'] as const) {
      await sleep(restMs);
      const asked = Date.now();
      const result = await place.migrate(running.pid, direction === 'out' ? 'away' : 'home');
      moves.push({ ...result, direction, asked, answered: Date.now() });
    }
  }
  await sleep(restMs);
  return moves;
}

interface Series {
  readonly name: string;
  readonly bytes: number;
  readonly moves: readonly Move[];
  readonly gaps: readonly Gap[];
  /** Milliseconds that plain TCP takes for the program's memory. */
  readonly raw: number;
  readonly place: Place;
}

function* summarise({ name, bytes, moves, gaps, raw, place }: Series): Generator<Result> {
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
    const whole = { ...figures(totals), ratio: rounded(median(totals) / raw) };
    yield { ...common, case: `${name}, ${direction}, whole move`, unit: 'ms', ...whole };
    if (bytes >= throughputFrom)
      yield throughputOf(chosen, { ...common, case: `${name}, ${direction}, throughput` }, bytes / raw);
  }
}

/** Megabytes that travelled in a second of the whole move, against plain TCP's (`raw`: bytes a millisecond). */
function throughputOf(
  moves: readonly Move[],
  common: Omit<Result, keyof Figures | 'unit' | 'ratio'>,
  raw: number,
): Result {
  const rates = moves.map((move) => move.bytes / move.totalMs / 1000);
  const ratio = rounded(median(rates) / (raw / 1000));
  return { ...common, unit: 'MB/s', ...figures(rates), raw: rounded(raw / 1000), ratio };
}

/** The longest time that the program stood still around a migration. */
function gapOf(move: Move, gaps: readonly Gap[], name: string): number {
  const during = gaps.filter(
    ({ startMs, lengthMs }) => startMs < move.answered + marginMs && startMs + lengthMs > move.asked - marginMs,
  );
  if (during.length === 0)
    throw new MeasureError(`the freeze of ${name}`, 'the program noticed no gap: it cannot have moved');
  return Math.max(...during.map(({ lengthMs }) => lengthMs));
}

type Figures = Pick<Result, 'n' | 'median' | 'p95'>;

function figures(values: readonly number[]): Figures {
  return { n: values.length, median: rounded(median(values)), p95: rounded(percentile(values, 0.95)) };
}
