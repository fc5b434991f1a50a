/**
 * What a system call costs away from home, beside a plain TCP exchange of as many bytes each way: same hosts, same
 * CPUs, same link, measured in turns. The exchange is measured twice, with both sides blocking and with both spinning,
 * because the engine does either; each call is reported against both.
 */
import { MeasureError, Place } from './place.ts';
import type { Result } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

/** What the link must carry for each call: a request or reply of 64 bytes, and the data. */
const header = 64;
const calls = [
  { name: 'getppid', kind: 'getppid', request: header, reply: header },
  { name: 'pread 4 KB', kind: 'pread', request: header, reply: header + 4096 },
  { name: 'write 64 KB', kind: 'write', request: header + 65_536, reply: header },
] as const;
type Call = (typeof calls)[number];

const rounds = 3;
const callsPerRound = 2000;
/** From its start until it makes the calls, a probe has this long to be moved. */
const leadSeconds = 4;
const file = '/home/mover/bench.dat';

export async function* measureForward(): AsyncGenerator<Result> {
  await using place = await Place.start('apart');
  for (const call of calls) {
    const forwarded: number[] = [];
    const raw = { block: [] as number[], spin: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      forwarded.push(...(await forward(place, call)));
      for (const wait of ['block', 'spin'] as const) {
        raw[wait].push(...(await place.exchange(place.other, call, { count: callsPerRound, wait })));
      }
    }
    for (const wait of ['block', 'spin'] as const) {
      const rawMedian = median(raw[wait]);
      yield {
        bench: 'forward',
        case: `${call.name}, raw ${wait === 'block' ? 'blocking' : 'spinning'}`,
        unit: 'us',
        n: forwarded.length,
        median: rounded(median(forwarded) / 1000),
        p95: rounded(percentile(forwarded, 0.95) / 1000),
        raw: rounded(rawMedian / 1000),
        ratio: rounded(median(forwarded) / rawMedian),
        placement: `${place.description}; raw: TCP, both sides ${wait === 'block' ? 'blocking' : 'spinning'}`,
      };
    }
  }
}

/** Nanoseconds of each call of a program that was moved before it made the first. */
async function forward(place: Place, call: Call): Promise<number[]> {
  const start = Math.ceil(Date.now() / 1000) + leadSeconds;
  const running = place.start('calls', call.kind, file, String(start), String(callsPerRound));
  await place.migrate(running.pid, 'away');
  if (Date.now() >= start * 1000)
    throw new MeasureError(call.name, `it took more than ${leadSeconds} s to move the program`);
  return (await place.collect(running, call.name)).map(([nanoseconds]) => nanoseconds);
}
