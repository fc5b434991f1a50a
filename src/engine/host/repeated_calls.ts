/** Calls of a body's thread that are made again after a stop, so that the program does not see that it was stopped. */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { describe } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { BodyThread } from './body_thread.ts';
import { goOnWaiting } from '../task/going_on.ts';
import { endsWithEintr, giveCode } from '../task/interrupted_calls.ts';
import { markOf } from '../task/marked_calls.ts';

/** A call of this kernel that answers our own stop with EINTR: it is made again, unless a handler is to run. */
export function repeatWait(thread: BodyThread, stop: StoppedTask): void {
  const registers = stop.registers();
  thread.noteStop(registers);
  if (endsWithEintr(registers)) {
    stop.setRegisters(giveCode(registers));
    thread.cutShort(registers);
    if (thread.wait) thread.wait.cutShort = true;
  }
  const since = markOf(thread.hostTid, registers) === undefined ? thread.waitsSince(registers) : undefined;
  if (since !== undefined) goOnWaiting(stop, { since, restartOf: thread.restartOf || nr.futex }, true);
}

/**
 * A trapped call that nobody has taken yet did not happen: when a handler is to run, the call is made after it,
 * and does not end as interrupted. But one that is made again had begun, and ends by the code that cut it short; and
 * restart_syscall(2) is the rest of such a call.
 */
export function repeatUnseen(thread: BodyThread, stop: StoppedTask): void {
  const registers = stop.registers();
  if (!registers.interrupted || describe(registers.syscall)?.class === 'local') return;
  const code = thread.codeOf(registers.syscall, registers.syscallArguments);
  if (code !== undefined) stop.setRegisters(registers.set('rax', code));
  else if (registers.syscall !== nr.restart_syscall) stop.setRegisters(registers.repeatCall());
}
