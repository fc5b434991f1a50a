/**
 * The speed of this machine's CPUs, measured by a short computation: 10000 is a CPU that makes STANDARD_STEPS_PER_MS of it.
 *
 * The CPU time of the thread counts and not the clock, so that other programs and quotas do not matter (those are the business
 * of the load); the best of some runs counts, so that an interrupt or a sibling thread on the same core does not either.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { STANDARD_SPEED } from '../load/units.ts';
import { threadCpuMilliseconds } from '../sys/thread_clock.ts';

/** Steps of the computation below in a millisecond on a 3 GHz server core of 2022. */
const STANDARD_STEPS_PER_MS = 800_000;
const RUNS = 24;
/** CPU milliseconds of one run: several ticks of the clock by which CPU time may be counted. */
const RUN_MS = 5;
/** Milliseconds between two runs: what disturbs comes and goes. */
const BETWEEN_MS = 25;
/** Without this many the compiler has not done its work yet. */
const WARM_UP_STEPS = 3_000_000;

interface Cached {
  readonly cpu: string;
  readonly version: string;
  readonly speed: number;
}

/** @param directory Where the result is kept: the same CPU is not measured again. */
export async function calibratedSpeed(directory: string): Promise<number> {
  const file = join(directory, 'speed.json');
  const cpu = `${cpus()[0]?.model ?? ''} ${cpus().length}`;
  const cached = readCache(file);
  if (cached?.cpu === cpu && cached.version === process.version) return cached.speed;
  const speed = await measureSpeed();
  try {
    writeFileSync(file, JSON.stringify({ cpu, version: process.version, speed } satisfies Cached));
  } catch {
    // it is measured again next time
  }
  return speed;
}

/** Takes about 120 ms of CPU time in one second, in which it lets others of this thread work. */
export async function measureSpeed(): Promise<number> {
  compute(WARM_UP_STEPS);
  let best = 0;
  let steps = RUN_MS * STANDARD_STEPS_PER_MS;
  for (let run = 0; run < RUNS; run += 1) {
    const begin = threadCpuMilliseconds();
    compute(steps);
    const milliseconds = threadCpuMilliseconds() - begin;
    if (milliseconds > 0) best = Math.max(best, steps / milliseconds);
    if (milliseconds < RUN_MS / 2) steps *= 2;
    await sleep(BETWEEN_MS);
  }
  return Math.max(1, Math.round((best / STANDARD_STEPS_PER_MS) * STANDARD_SPEED));
}

let sink = 0;

/** Integer multiplications, each of which needs the last one's result: what every program has, and no cache matters. */
function compute(steps: number): void {
  let value = sink | 1;
  for (let step = 0; step < steps; step += 1) value = (Math.imul(value, 1103515245) + 12345) ^ (value >>> 7);
  sink = value;
}

function readCache(file: string): Cached | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { cpu, version, speed } = Object(value) as Record<string, unknown>; // cast: each field is looked at
    if (typeof cpu !== 'string' || typeof version !== 'string' || typeof speed !== 'number') return undefined;
    return speed > 0 ? { cpu, version, speed } : undefined;
  } catch {
    return undefined;
  }
}
