/**
 * Threads at home go on untraced, as if they had never been stopped: waits that were cut short wait for the rest of their
 * time. A socket's time-out is an option of the socket, which the program's other calls use as well: so it is left alone,
 * and the engine ends the wait when its time is over, unless the program has left it.
 */
import { canNameThreads } from '../../sys/descriptors.ts';
import { SystemCallError } from '../../sys/errors.ts';
import { statFieldsIfAny } from '../../sys/procfs.ts';
import { ESRCH, RunningTask, traceOption, type StoppedTask } from '../../sys/ptrace.ts';
import type { Registers } from '../../sys/x64/registers.ts';
import { readClock } from './clocks.ts';
import { DeadlineExceeded, type Loop } from '../link/loop.ts';
import type { FrozenTask } from './frozen_task.ts';
import { goOnWaiting } from './going_on.ts';
import { isCutShort } from './interrupted_calls.ts';
import { dropMark, isMarked, markOf, type KnownWait } from './marked_calls.ts';
import { goBack } from './masked_calls.ts';
import { cutWrite, finishWrite } from './partial_writes.ts';
import { callOf, observeSleep } from './sleep.ts';
import { socketTime, timeoutError, type SocketCall } from './socket_waits.ts';
import { beginOfSleep, letGo, stopOne } from './stop_thread.ts';

/** Looks for the end of a thread's being traced by others, milliseconds between them and how many. */
const tracedLook = 20;
const tracedLooks = 500;
const stopDeadline = 3000;

/** Lets stopped threads of a process go on. */
export function thaw(loop: Loop, pid: number, threads: readonly FrozenTask[]): void {
  for (const frozen of threads) {
    try {
      const { task, since, restartOf = 0 } = frozen;
      if (since !== undefined) goOnAtHome(loop, pid, task, { since, restartOf });
      letGoOn(loop, frozen);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      frozen.task.detach(); // it was killed meanwhile
    }
  }
}

/** A write that our stop cut short goes on; all others are let go as they are. */
function letGoOn(loop: Loop, { task, pendingSignal }: FrozenTask): void {
  if (!pendingSignal) {
    const registers = task.registers();
    const written = cutWrite(registers, task.tid, 0);
    if (written) {
      task.setRegisters(registers);
      return finishWrite(loop, task, written);
    }
    return goBack(task).detach();
  }
  task.detach(pendingSignal.signal);
}

/** Has a stopped task's call, if it was cut short, go on for the rest of its time; then it is to be let go. */
export function goOnAtHome(loop: Loop, pid: number, task: StoppedTask, known: KnownWait): void {
  const registers = task.registers();
  const mark = goOnWaiting(task, known);
  if (mark === undefined) return;
  const whole = socketTime(socketCall({ pid, tid: task.tid }, registers));
  if (whole === undefined) return;
  const left = Number(whole - (readClock('monotonic') - known.since)) / 1e6;
  const wait = { pid, tid: task.tid, mark, call: registers.syscall, next: registers.get('rip') };
  after(loop, Math.max(0, left), () => expire(loop, wait));
}

/** @param ids of the process and of the thread: the main one may have ended */
function socketCall({ pid, tid }: { pid: number; tid: number }, registers: Registers): SocketCall {
  return { pid: canNameThreads ? tid : pid, nr: registers.syscall, args: registers.syscallArguments };
}

interface MarkedWait {
  pid: number;
  tid: number;
  mark: number;
  call: number;
  /** Where the program goes on after the call. */
  next: bigint;
}

function after(loop: Loop, milliseconds: number, work: () => Promise<void>): void {
  const started = (): void =>
    loop.start(work, (error) => {
      if (!(error instanceof SystemCallError || error instanceof DeadlineExceeded)) throw error;
    });
  loop.after(milliseconds, started);
}

/** Whether a thread is seen to have left a call; a group stop ends it, too. */
function hasLeft({ tid, call, next }: MarkedWait): boolean {
  if (/[TXZ]/.test(statFieldsIfAny(tid)?.(3) ?? 'X')) return true;
  const asleep = callOf(tid);
  return asleep !== undefined && (asleep.number !== call || asleep.next !== next);
}

/** Ends a wait whose time is over, if the thread is in it still. */
async function expire(loop: Loop, wait: MarkedWait, looks = tracedLooks): Promise<void> {
  const { pid, tid, mark } = wait;
  if (!isMarked(mark)) return;
  if (hasLeft(wait)) return dropMark(mark);
  const sleep = observeSleep(tid);
  const task = RunningTask.seize(tid, traceOption.calls);
  if (task instanceof SystemCallError) {
    // Who stops it now may let it go on with the same call.
    if (task.errno !== ESRCH && looks > 0) after(loop, tracedLook, () => expire(loop, wait, looks - 1));
    return;
  }
  task.interrupt();
  let stopped: FrozenTask | undefined;
  try {
    stopped = await stopOne(loop, task, stopDeadline);
  } catch (error) {
    letGo(loop, tid);
    throw error;
  }
  if (!stopped) return;
  const isIt = markOf(tid, stopped.task.registers()) === mark;
  const known = beginOfSleep(stopped, sleep);
  const registers = stopped.task.registers();
  if (!isIt || !isCutShort(registers)) {
    // It is in another call, or this one has just ended.
    dropMark(mark);
    return thaw(loop, pid, [{ ...stopped, ...known }]);
  }
  stopped.task.setRegisters(registers.finishCall(timeoutError(socketCall(wait, registers))));
  stopped.task.detach(stopped.pendingSignal?.signal ?? 0);
}
