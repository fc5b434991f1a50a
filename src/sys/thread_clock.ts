/** The CPU time of the calling thread, up to this moment; getrusage(2) lags behind by a tick. clock_gettime(2). */
import { kernel } from './kernel.ts';
import { arena, scratch } from './memory.ts';
import { nr } from './x64/numbers.ts';

const CLOCK_THREAD_CPUTIME_ID = 3;
const at = scratch(16);

export function threadCpuMilliseconds(): number {
  kernel.call(nr.clock_gettime, CLOCK_THREAD_CPUTIME_ID, arena.address + at);
  return arena.read64(at) * 1000 + arena.read64(at + 8) / 1e6;
}
