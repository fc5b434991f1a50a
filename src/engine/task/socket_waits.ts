/**
 * A call on a socket whose time-out is an option of the socket (SO_RCVTIMEO, SO_SNDTIMEO), made again at home where
 * nobody attends to it any more. The kernel reads the option when the call begins: until then it says what is left.
 */
import fs from 'node:fs';
import { close, descriptorOf, setSocketTimeout, socketTimeout } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { signalSets } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { readClock } from './clocks.ts';
import { isCutShort } from './interrupted_calls.ts';
import type { Loop } from '../link/loop.ts';
import { sleepsOf, type Sleep } from './sleep.ts';
import { timeoutOf } from './timed_waits.ts';

/** While the option is changed, another call on this socket would take it for its own: so it is looked for closely, milliseconds. */
const closeLook = 5;
/** A call that has not begun by then was not made again, milliseconds. */
const patience = 1000;
/** Less would mean "for ever", nanoseconds. */
const shortest = 1_000_000n;

/** The sleep in which each task goes on with such a call, and when the call began (CLOCK_MONOTONIC). */
const continued = new Map<number, { sleeps: number; since: bigint }>();
const remembered = 1000;

/** Tasks that have been let go and have not begun the call yet, and until when that is waited for (performance.now()). */
const beginning = new Map<number, number>();

/** Whether a task is about to go on with such a call: if it were stopped now, nobody would know how long it has waited. */
export function isAboutToWait(tid: number): boolean {
  return performance.now() < (beginning.get(tid) ?? 0);
}

/** When the call really began in which a task was seen asleep. */
export function beginOfSocketWait(tid: number, sleep: Sleep): bigint {
  const known = continued.get(tid);
  return known?.sleeps === sleep.sleeps ? known.since : sleep.since;
}

function remember(tid: number, since: bigint): void {
  const sleeps = sleepsOf(tid);
  if (sleeps === undefined) return;
  continued.delete(tid);
  continued.set(tid, { sleeps, since });
  const [oldest] = continued.keys();
  if (continued.size > remembered) continued.delete(oldest);
}

/**
 * Sets the option for a stopped task whose call was cut short and began at `since` (CLOCK_MONOTONIC).
 * @returns what to do when the task has been let go; undefined where there is nothing to do
 */
export function limitSocketWait(loop: Loop, task: StoppedTask, pid: number, since: bigint): (() => void) | undefined {
  const registers = task.registers();
  if (!isCutShort(registers)) return undefined;
  const timeout = timeoutOf(registers.syscall, registers.syscallArguments);
  if (timeout?.kind !== 'socket') return undefined;
  const sets = signalSets(task.tid);
  if ((sets.pending & sets.caught & ~sets.blocked) !== 0n) return undefined; // a handler will end the call
  const socket = descriptorOf(pid, Number(BigInt.asIntN(32, registers.get('rdi'))));
  if (socket < 0) return undefined;
  const whole = socketTimeout(socket, timeout.option) ?? 0n;
  if (whole === 0n) {
    close(socket);
    return undefined;
  }
  const rest = whole - (readClock('monotonic') - since);
  setSocketTimeout(socket, timeout.option, rest > shortest ? rest : shortest);
  const restore = (): void => {
    beginning.delete(task.tid);
    remember(task.tid, since);
    setSocketTimeout(socket, timeout.option, whole);
    close(socket);
  };
  beginning.set(task.tid, performance.now() + patience);
  return () => whenInCall(loop, { tid: task.tid, call: registers.syscall }, restore);
}

/** Runs `then` when the task sleeps in the call, or has ended, or time is up. */
function whenInCall(loop: Loop, task: { tid: number; call: number }, then: () => void): void {
  const start = performance.now();
  while (performance.now() - start < closeLook) {
    if (hasBegun(task)) return then();
    kernel.call(nr.sched_yield);
  }
  const look = (): void => {
    if (hasBegun(task) || performance.now() - start > patience) then();
    else loop.after(1, look);
  };
  look();
}

/** proc(5), /proc/PID/syscall: the number of the call in which a task sleeps, or "running". */
function hasBegun({ tid, call }: { tid: number; call: number }): boolean {
  try {
    return fs.readFileSync(`/proc/${tid}/syscall`, 'latin1').startsWith(`${call} `);
  } catch {
    return true;
  }
}
