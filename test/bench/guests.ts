/**
 * What a system call costs when many processes of one home are away: guests that make 200 calls a second each, one
 * alone and 64 together. `raw` is the p95 of the one alone, and `ratio` how many times that the p95 of the many is.
 */
import { MeasureError, Place, untilReady } from './place.ts';
import type { Result } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

const many = 64;
const callsPerSecond = 200;
/** Of each of the many; the one alone makes as many as a few of them, so that its p95 is as sure. */
const callsOfEach = 1600;
const callsOfOne = 3000;
/** From its start until it makes the calls, a probe has this long to be moved, with what others take before it. */
const leadSeconds = 4;
const leadSecondsEach = 0.25;

export async function* measureGuests(): AsyncGenerator<Result> {
  await using place = await Place.start('apart');
  const alone = await guests(place, 1, callsOfOne);
  const together = await guests(place, many, callsOfEach);
  for (const [name, took] of [
    ['1 guest', alone],
    [`${many} guests`, together],
  ] as const) {
    const [p95, raw] = [percentile(took, 0.95), percentile(alone, 0.95)];
    yield {
      bench: 'guests',
      case: `getppid, ${name}`,
      unit: 'us',
      n: took.length,
      median: rounded(median(took) / 1000),
      p95: rounded(p95 / 1000),
      raw: rounded(raw / 1000),
      ratio: rounded(p95 / raw),
      placement: `${place.description}; ${callsPerSecond} calls a second each; raw: p95 of one guest`,
    };
  }
}

/** Nanoseconds of all calls of `count` programs that are away at the same time. */
async function guests(place: Place, count: number, calls: number): Promise<number[]> {
  const start = Math.ceil(Date.now() / 1000 + leadSeconds + count * leadSecondsEach);
  const running = Array.from({ length: count }, (_, i) => {
    const phase = Math.floor((i * 1e6) / callsPerSecond / count);
    return place.start('pace', String(start), String(calls), String(callsPerSecond), String(phase));
  });
  for (const probe of running) {
    await untilReady(probe, 'guests');
    await place.migrate(probe.pid, 'away');
  }
  if (Date.now() >= start * 1000) throw new MeasureError('guests', `it took too long to move ${count} programs`);
  const took = await Promise.all(running.map((probe) => place.collect(probe, 'guests')));
  return took.flat(2);
}
