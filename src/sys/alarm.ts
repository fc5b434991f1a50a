/**
 * A deadline for calls that block: a timer of this thread's own sends SIGALRM, whose handler does nothing, and a signal
 * that was handled ends the call with EINTR (signal(7)). timer_create(2), SIGEV_THREAD_ID.
 */
import { call } from './gate.ts';
import { arena, Memory, PROT_EXEC, PROT_READ, scratch } from './memory.ts';
import { must } from './errors.ts';
import { nr } from './x64/numbers.ts';
import { emptyHandlerCode } from './x64/stub_code.ts';

const SIGALRM = 14;
const SIGEV_THREAD_ID = 4;
const CLOCK_MONOTONIC = 1;
const SA_RESTORER = 0x04000000;
/** Once may be too early: the signal may come before the call has begun to wait. */
const againMilliseconds = 10;

const eventAt = scratch(64);
const timesAt = scratch(32);
let timer: number | undefined;

/** Makes a call that may block, but no longer than `milliseconds`. @returns its result, or -EINTR */
export function callWithin(milliseconds: number, make: () => number): number {
  timer ??= createTimer();
  setTimer(timer, milliseconds);
  try {
    return make();
  } finally {
    setTimer(timer, 0);
  }
}

function createTimer(): number {
  const code = Memory.anonymous(4096);
  const { bytes, restorer } = emptyHandlerCode();
  code.u8.set(bytes, 0);
  must(call(nr.mprotect, code.address, 4096, PROT_READ | PROT_EXEC), 'mprotect');
  // struct kernel_sigaction: handler, flags, restorer, mask. Without SA_RESTART, for the call shall end.
  arena.write64(eventAt, code.address);
  arena.write64(eventAt + 8, SA_RESTORER);
  arena.write64(eventAt + 16, code.address + restorer);
  arena.write64(eventAt + 24, 0);
  must(call(nr.rt_sigaction, SIGALRM, arena.address + eventAt, 0, 8), 'rt_sigaction SIGALRM');
  // struct sigevent: value 8, signal 4, how 4, thread 4.
  arena.u8.fill(0, eventAt, eventAt + 64);
  arena.u32[(eventAt >> 2) + 2] = SIGALRM;
  arena.u32[(eventAt >> 2) + 3] = SIGEV_THREAD_ID;
  arena.u32[(eventAt >> 2) + 4] = must(call(nr.gettid), 'gettid');
  must(call(nr.timer_create, CLOCK_MONOTONIC, arena.address + eventAt, arena.address + timesAt), 'timer_create');
  return arena.i32[timesAt >> 2];
}

/** struct itimerspec: interval, then first time; all zero disarms. */
function setTimer(id: number, milliseconds: number): void {
  arena.write64(timesAt, 0);
  arena.write64(timesAt + 8, milliseconds === 0 ? 0 : againMilliseconds * 1e6);
  arena.write64(timesAt + 16, Math.floor(milliseconds / 1000));
  arena.write64(timesAt + 24, Math.floor((milliseconds % 1000) * 1e6));
  must(call(nr.timer_settime, id, 0, arena.address + timesAt, 0), 'timer_settime');
}
