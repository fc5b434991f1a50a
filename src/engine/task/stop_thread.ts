/** Stopping one thread, and what is known then of the call that it was in. */
import { deliverAndStop, SIGSTOP } from '../../sys/own_stops.ts';
import { hasEnded } from '../../sys/procfs.ts';
import {
  endedUnreported,
  eventWithin,
  reap,
  type RunningTask,
  StoppedTask,
  TaskEnded,
  type TaskStatus,
} from '../../sys/ptrace.ts';
import { readClock } from './clocks.ts';
import { actsByDefault, stopSignals } from './default_actions.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';
import { endsWithEintr, giveCode } from './interrupted_calls.ts';
import type { Loop } from '../link/loop.ts';
import { takeMark } from './marked_calls.ts';
import { endedByDue } from './masked_calls.ts';
import { stoppedIn, type Sleep } from './sleep.ts';
import { timeoutOf } from './timed_waits.ts';

/** Waits asynchronously for a task's stop. @throws TaskEnded, DeadlineExceeded */
export async function untilStopped(loop: Loop, task: RunningTask, milliseconds: number): Promise<StoppedTask> {
  const status = await untilEvent(loop, task.tid, milliseconds);
  if (status.kind !== 'stopped') throw new TaskEnded(task.tid, status);
  return new StoppedTask(task.tid, status.signal, status.event);
}

async function untilEvent(loop: Loop, tid: number, milliseconds: number): Promise<TaskStatus> {
  // Most tasks stop within microseconds; only those that sleep uninterruptibly are waited for through the loop.
  const soon = loop.takeUnclaimed(tid) ?? eventWithin(tid, 2);
  if (soon) return soon;
  let cancel = (): unknown => false;
  try {
    return await loop.within<TaskStatus>(milliseconds, `stop task ${tid}`, (resolve) => {
      const look = (): void => {
        if (hasEnded(tid)) resolve(reap(tid) ?? endedUnreported);
        else cancel = loop.after(endedLook, look);
      };
      cancel = loop.after(endedLook, look);
      loop.onTask(tid, resolve);
    });
  } finally {
    cancel();
    loop.forgetTask(tid);
  }
}

/** Milliseconds until a task that does not stop is looked at: the end of a main thread is not announced. */
const endedLook = 20;

/**
 * Of a task that has just been stopped: since when it had waited, and in what. A call that was marked is known; else, if it
 * was not asleep when it was looked at, what it waits in began only now; and where the kernel counts time-outs down, it has
 * just done so.
 */
export function beginOfSleep(
  stopped: FrozenTask,
  sleep: Sleep | undefined,
): { since: bigint; restartOf: number; beginKnown?: boolean } {
  const { task } = stopped;
  const now = readClock('monotonic');
  const registers = task.registers(); // and the task has left its CPU: its sleeps are counted
  const known = takeMark(task, registers);
  // At once, so that the program does not see our stop even if this engine dies.
  const slept = sleep !== undefined && stoppedIn(task.tid, sleep);
  if (endsWithEintr(registers)) task.setRegisters((slept ? undefined : endedByDue(stopped)) ?? giveCode(registers));
  if (known) return { ...known, beginKnown: true };
  const countedDown = timeoutOf(registers.syscall, registers.syscallArguments)?.kind === 'counted';
  if (!slept) return { since: now, restartOf: 0 };
  return { since: countedDown ? now : sleep.since, restartOf: sleep.restartOf };
}

/** Waits for a stop that was asked for; a stop of the process acts first. @returns undefined when the thread has ended. @throws DeadlineExceeded */
export async function stopOne(loop: Loop, task: RunningTask, milliseconds: number): Promise<FrozenTask | undefined> {
  try {
    for (let running = task; ;) {
      const stopped = await untilStopped(loop, running, milliseconds);
      if (stopped.event !== 0 || !stopsHere(stopped)) return frozenTask(stopped);
      running = deliverAndStop(stopped);
    }
  } catch (error) {
    if (error instanceof TaskEnded) return undefined;
    throw error;
  }
}

/** A signal that stops the process acts in this kernel, before it is captured: the parent is told once, by this kernel. */
export function stopsHere(stop: StoppedTask): boolean {
  if (stop.signal === SIGSTOP) return true;
  return stopSignals.has(stop.signal) && actsByDefault(stop.tid, stop.signal);
}

/** Lets go of a thread that has not stopped in time, as soon as it does. */
export function letGo(loop: Loop, tid: number): void {
  loop.onTask(tid, (event) => {
    loop.forgetTask(tid);
    if (event.kind === 'stopped')
      new StoppedTask(tid, event.signal, event.event).detach(event.event ? 0 : event.signal);
  });
}
