/**
 * How much slower a program computes away from home: two of them, one at home and one away, do the same work in turns
 * on the same CPU, so that its speed and its noise are the same for both. The ratio is that of neighbours in time.
 */
import { MeasureError, Place } from './place.ts';
import type { Result } from './result.ts';
import { median, medianInterval, percentile, rounded } from './statistics.ts';

const kinds = ['alu', 'memory'] as const;
type Kind = (typeof kinds)[number];

const pairs = 21;
/** A turn: half a second of work, and time to be late. */
const turnMs = 900;
/** From the start of the probes to the first turn. */
const leadMs = 5000;

export async function* measureSlowdown(): AsyncGenerator<Result> {
  await using place = await Place.start('together');
  for (const kind of kinds) {
    const [atHome, away] = await measurePairs(place, kind);
    const ratios = away.map((nanoseconds, index) => nanoseconds / atHome[index]);
    const [low, high] = medianInterval(ratios);
    yield {
      bench: 'slowdown',
      case: kind,
      unit: 'ms',
      n: ratios.length,
      median: rounded(median(away) / 1e6),
      p95: rounded(percentile(away, 0.95) / 1e6),
      raw: rounded(median(atHome) / 1e6),
      ratio: precise(median(ratios)),
      interval: [precise(low), precise(high)],
      placement: `${place.description}; raw: the same work at home, in turns`,
    };
  }
}

/** Nanoseconds of each turn: at home, away. */
async function measurePairs(place: Place, kind: Kind): Promise<[number[], number[]]> {
  const [[rounds]] = await place.collect(place.start('work', kind, '0', '0', '0', '0'), `the speed of ${kind}`);
  const first = Date.now() + leadMs;
  const startAt = (at: number) =>
    place.start('work', kind, String(rounds), String(at), String(2 * turnMs), String(pairs));
  const home = startAt(first);
  const away = startAt(first + turnMs);
  await place.migrate(away.pid, 'away');
  if (Date.now() >= first) throw new MeasureError(kind, `it took more than ${leadMs} ms to move the program`);
  const results = await Promise.all([place.collect(home, kind), place.collect(away, kind)]);
  const [atHome, moved] = results.map((lines) => lines.map(([nanoseconds]) => nanoseconds));
  return [atHome, moved];
}

/** A slowdown of a tenth of a per cent is to be seen. */
function precise(ratio: number): number {
  return Number(ratio.toFixed(4));
}
