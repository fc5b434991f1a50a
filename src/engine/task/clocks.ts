/** This host's clocks, and its place in time namespaces. */
import fs from 'node:fs';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { nr } from '../../sys/x64/numbers.ts';

const clockIds = { monotonic: 1, boottime: 7 } as const;
const at = scratch(16);

/** The clock as this process sees it, nanoseconds. */
export function readClock(clock: keyof typeof clockIds): bigint {
  kernel.call(nr.clock_gettime, clockIds[clock], arena.address + at);
  return arena.u64[at >> 3] * 1_000_000_000n + arena.u64[(at >> 3) + 1];
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
