/** How long a program takes from start to end when mosrun starts it, beside the same program alone, in turns. */
import { Place } from './place.ts';
import type { Result } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

const count = 41;

export async function* measureStart(): AsyncGenerator<Result> {
  await using place = await Place.start('apart');
  const turns = await place.collect(place.start('start', String(count), place.mosrun), 'the start of a program');
  const [alone, launched] = [0, 1].map((column) => turns.map((turn) => turn[column] / 1e6));
  yield {
    bench: 'start',
    case: 'mosrun -h true',
    unit: 'ms',
    n: turns.length,
    median: rounded(median(launched)),
    p95: rounded(percentile(launched, 0.95)),
    raw: rounded(median(alone)),
    ratio: rounded(median(launched) / median(alone)),
    placement: `${place.description}; raw: true, started without mosrun, in turns`,
  };
}
