/**
 * mosrun --time: runs the program as a child, waits for it, and says how much CPU time the job used, and where. Like
 * time(1) it stands beside the program for as long as that runs; the signals of the terminal are the program's.
 */
import { writeSync } from 'node:fs';

import { messageOf } from '../lib/errors.ts';
import { formatMilliseconds } from '../lib/format.ts';
import { kernel } from '../sys/kernel.ts';
import { Memory } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { BlockingClient } from './blocking_client.ts';
import { launcherOf } from './launcher.ts';
import { daemonSocket } from './refusals.ts';

const ANSWER_MS = 10_000;

/** @returns the exit code: the program's, or as a shell has it 128 and the signal that ended it */
export function runTimed(args: readonly string[]): number {
  const options = args.indexOf('--time');
  const begin = performance.now();
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
  // Loaded here only: mosrun without --time stands in front of every program and has no use for them.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { signals } = process.getBuiltinModule('node:os').constants;
  const child = spawnSync(launcherOf('mosrun'), args.toSpliced(options, 1), { stdio: 'inherit' });
  if (child.error !== undefined) throw child.error;
  report(child.pid, performance.now() - begin);
  return child.status ?? 128 + (child.signal === null ? 0 : signals[child.signal]);
}

function report(pid: number, realMs: number): void {
  const homeMs = childrenCpuMs();
  let away = '';
  let awayMs = 0;
  try {
    using mosd = new BlockingClient(daemonSocket(), ANSWER_MS);
    const use = Object(mosd.request('job-time', { pid }));
    awayMs = Number(use.awayMs);
  } catch (error) {
    away = ` (that of other nodes is missing: ${messageOf(error)})`;
  }
  const total = formatMilliseconds(homeMs + awayMs);
  const parts = `${formatMilliseconds(awayMs)} on other nodes`;
  try {
    writeSync(2, `real ${formatMilliseconds(realMs)}, CPU ${total}, of which ${parts}${away}\n`);
  } catch {
    // Standard error is closed: nobody wants to know.
  }
}

const RUSAGE_CHILDREN = -1;

/** struct rusage begins with user and system time, each in seconds and microseconds (getrusage(2)). */
function childrenCpuMs(): number {
  using memory = Memory.anonymous(4096);
  if (kernel.call(nr.getrusage, RUSAGE_CHILDREN, memory.address) < 0) return 0;
  const time = (at: number): number => memory.read64(at) * 1000 + memory.read64(at + 8) / 1000;
  return time(0) + time(16);
}
