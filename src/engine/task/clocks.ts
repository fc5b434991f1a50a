/** This host's clocks, and its place in time namespaces. */
import fs from 'node:fs';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';

const clockIds = { monotonic: 1, coarse: 6, boottime: 7 } as const;
const at = scratch(16);
const pauseAt = scratch(16);
const pause = 200_000;
/** Ticks are at most 10 ms apart (CONFIG_HZ=100). */
const longestTick = 20_000_000n;

/** The clock as this process sees it, nanoseconds. */
export function readClock(clock: keyof typeof clockIds): bigint {
  kernel.call(nr.clock_gettime, clockIds[clock], arena.address + at);
  return arena.u64[at >> 3] * 1_000_000_000n + arena.u64[(at >> 3) + 1];
}

/**
 * Waits until CLOCK_MONOTONIC_COARSE, which says when the last tick was, is not behind `reading`: the ticks of two hosts do not
 * come together, and a program that moves within one must not see the clock go back.
 * @param reading on this host's clock, nanoseconds
 */
export function waitForTick(reading: bigint): void {
  const until = readClock('monotonic') + longestTick;
  arena.write64(pauseAt, 0);
  arena.write64(pauseAt + 8, pause);
  while (readClock('coarse') < reading && readClock('monotonic') < until)
    kernel.call(nr.nanosleep, arena.address + pauseAt, 0);
}

/** A moment of performance.now() on this host's CLOCK_MONOTONIC, nanoseconds. */
export function monotonicAt(moment: number): bigint {
  return readClock('monotonic') - BigInt(Math.round((performance.now() - moment) * 1e6));
}

/** The moment of performance.now() at a time on this host's CLOCK_MONOTONIC. */
export function momentOf(time: bigint): number {
  return performance.now() - Number(readClock('monotonic') - time) / 1e6;
}

/** Offsets of this process's own time namespace, which count from the initial one (time_namespaces(7)). */
export function ownTimeOffsets(): { monotonic: bigint; boottime: bigint } {
  const out = { monotonic: 0n, boottime: 0n };
  for (const line of fs.readFileSync('/proc/self/timens_offsets', 'latin1').split('\n')) {
    const [name, seconds, nanoseconds] = line.trim().split(/\s+/);
    if (name === 'monotonic' || name === 'boottime') out[name] = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
  }
  return out;
}
