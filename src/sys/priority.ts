/** The priority of our own threads, where many programs want the CPU; sched_setattr(2), sched(7). */
import { kernel } from './kernel.ts';
import { arena, scratch } from './memory.ts';
import { nr } from './x64/numbers.ts';

/** struct sched_attr, of the first version: SCHED_ATTR_SIZE_VER0. */
const SIZE = 48;
const SCHED_OTHER = 0;
const SCHED_FLAG_RESET_ON_FORK = 1;
/**
 * Against twelve programs on one CPU, a thread of this niceness gets two fifths of it when it needs it, instead of a
 * thirteenth: a program that moves would else stand still for as long as the queue is. Lower: the same against more programs.
 */
const NICE = -10;

const attributesAt = scratch(SIZE);

/**
 * Prefers the calling thread. What it starts or forks is not preferred (SCHED_FLAG_RESET_ON_FORK): guests come from its blank
 * processes. Without the right to do so (CAP_SYS_NICE) everything stays as it is.
 */
export function preferThisThread(): void {
  const { u32, i32 } = arena;
  const at = attributesAt / 4;
  u32.fill(0, at, at + SIZE / 4);
  u32[at] = SIZE;
  u32[at + 1] = SCHED_OTHER;
  u32[at + 2] = SCHED_FLAG_RESET_ON_FORK;
  i32[at + 4] = NICE;
  kernel.call(nr.sched_setattr, 0, arena.address + attributesAt, 0);
}
