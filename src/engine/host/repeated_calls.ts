/** Calls of a body's thread that are made again after a stop, so that the program does not see that it was stopped. */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { describe } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { BodyThread } from './body_thread.ts';
import { readClock } from '../task/clocks.ts';
import { endsWithEintr, giveCode } from '../task/interrupted_calls.ts';

/** A call of this kernel that answers our own stop with EINTR: it is made again, unless a handler is to run. */
export function repeatWait(thread: BodyThread, stop: StoppedTask): void {
  const registers = stop.registers();
  thread.noteStop(registers, readClock('monotonic'));
  if (!endsWithEintr(registers)) return;
  stop.setRegisters(giveCode(registers));
  thread.answered = true;
  if (thread.wait) thread.wait.cutShort = true;
}

/**
 * A trapped call that nobody has taken yet did not happen: when a handler is to run, the call is made after it,
 * and does not end as interrupted. `answered`: home has answered it with a restart code. restart_syscall(2) did happen: it
 * is the rest of a call that had begun.
 */
export function repeatUnseen(stop: StoppedTask, answered: boolean): void {
  const registers = stop.registers();
  if (!registers.interrupted || answered || registers.syscall === nr.restart_syscall) return;
  if (describe(registers.syscall)?.class !== 'local') stop.setRegisters(registers.repeatCall());
}
