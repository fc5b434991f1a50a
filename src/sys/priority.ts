/** How soon our own threads get a CPU that many programs want; sched_setattr(2), sched(7). */
import fs from 'node:fs';
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
/**
 * Nanoseconds, the shortest that the kernel takes (kernel/sched/syscalls.c, since Linux 6.12; before it is ignored): a thread
 * that asks for short turns gets no more of the CPU than others, but gets it sooner when it wakes up.
 */
const SLICE = 100_000;

const attributesAt = scratch(SIZE);

/**
 * Has the calling thread served soon; what it starts or forks is not (SCHED_FLAG_RESET_ON_FORK): guests come from its blank
 * processes. What the kernel does not grant stays as it is: to be preferred needs CAP_SYS_NICE.
 * @param preferred that it gets more of the CPU than others, too
 */
export function serveThisThreadSoon(preferred: boolean): void {
  const { u32, i32 } = arena;
  const attributes = arena.address + attributesAt;
  const at = attributesAt / 4;
  if (kernel.call(nr.sched_getattr, 0, attributes, SIZE, 0) < 0 || u32[at + 1] !== SCHED_OTHER) return;
  u32[at + 2] = SCHED_FLAG_RESET_ON_FORK;
  arena.write64(attributesAt + 24, SLICE);
  kernel.call(nr.sched_setattr, 0, attributes, 0);
  if (!preferred) return;
  i32[at + 4] = NICE;
  kernel.call(nr.sched_setattr, 0, attributes, 0);
}

const PRIO_PROCESS = 0;
const AFTER_OTHERS = 15;

/** Has the threads of this process that V8 compiles with in the background wait for all that runs programs; setpriority(2). */
export function compileAfterOthers(): void {
  for (const tid of fs.readdirSync('/proc/self/task'))
    if (/V8Worker/.test(fs.readFileSync(`/proc/self/task/${tid}/comm`, 'latin1')))
      kernel.call(nr.setpriority, PRIO_PROCESS, Number(tid), AFTER_OTHERS);
}
