/**
 * Which call a stopped thread is going on with by restart_syscall(2). Its registers do not say, and where it sleeps tells
 * only while it sleeps (`sleep.ts`); a thread that is frozen while its process is stopped does not. So it is let go on with
 * the call until it sleeps there, and is stopped again; that takes part of a millisecond, in which only the kernel runs.
 */
import { deliverAndStop, SIGSTOP, stopAgain } from '../../sys/own_stops.ts';
import { statFields } from '../../sys/procfs.ts';
import { nap, TaskEnded, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { ERESTART_RESTARTBLOCK } from '../../sys/x64/registers.ts';
import type { FrozenTask } from './frozen_task.ts';
import { observeSleep } from './sleep.ts';

const everySignal = 0xffffffffffffffffn;
/** Looks whether it sleeps, and microseconds between them. */
const looks = 400;
const lookPause = 250;

/** Whether a task is to go on by restart_syscall(2), and it is not known with what. */
export function goesOnWithUnknown({ task, pendingSignal, restartOf = 0 }: FrozenTask): boolean {
  if (pendingSignal || restartOf !== 0) return false;
  const registers = task.registers();
  return registers.syscall === nr.restart_syscall && registers.number('rax') === ERESTART_RESTARTBLOCK;
}

/**
 * Finds it out.
 * @returns the task where it is then, and 0 if its wait is over, or it did not get to sleep in time; undefined when it has ended
 */
export function restartedCallOf(task: StoppedTask): { task: StoppedTask; restartOf: number } | undefined {
  const mask = task.signalMask();
  try {
    task.setSignalMask(everySignal);
    let restartOf = 0;
    let stop = runToCall(task);
    if (stop.atCall) {
      const running = stop.resumeToCall();
      restartOf = untilAsleep(task.tid);
      running.interrupt();
      stop = running.waitStop();
    }
    while (stop.event === 0) stop = stop.signal === SIGSTOP ? deliverAndStop(stop).waitStop() : stopAgain(stop);
    stop.setSignalMask(mask);
    return { task: stop, restartOf };
  } catch (error) {
    if (error instanceof TaskEnded) return undefined;
    throw error;
  }
}

/** Runs to the beginning of the next call. All signals are blocked; SIGSTOP, which nothing blocks, acts where it shows. */
export function runToCall(task: StoppedTask): StoppedTask {
  let stop = task;
  for (let left = 20, signal = 0; left > 0 && !stop.atCall; left--) {
    stop = stop.resumeToCall(signal).waitStop();
    signal = stop.event === 0 && stop.signal === SIGSTOP ? SIGSTOP : 0;
  }
  return stop;
}

function untilAsleep(tid: number): number {
  for (let left = looks; left > 0 && !hasStopped(tid); left--) {
    const sleep = observeSleep(tid);
    if (sleep?.restartOf) return sleep.restartOf;
    nap(lookPause);
  }
  return 0;
}

/** Its wait is over: it has stopped where the call ends. */
function hasStopped(tid: number): boolean {
  try {
    return statFields(tid)(3) === 't';
  } catch {
    return true; // it was killed
  }
}
