/** Calls of a body's thread that are made again after a stop, so that the program does not see that it was stopped. */
import { signalSets } from '../sys/procfs.ts';
import type { StoppedTask } from '../sys/ptrace.ts';
import { describe } from '../sys/syscalls.ts';
import { EINTR } from '../sys/x64/registers.ts';

/**
 * A call of the EINTR class answers even our own interrupt with EINTR: unless a handler is to run, it is made again
 * (and rt_sigtimedwait finds a signal that it waits for).
 */
export function repeatWait(stop: StoppedTask): void {
  const registers = stop.registers();
  if (registers.syscall < 0 || registers.number('rax') !== EINTR) return;
  if (describe(registers.syscall)?.interrupted !== 'eintr') return;
  const sets = signalSets(stop.tid);
  if ((sets.pending & sets.caught & ~sets.blocked) === 0n) stop.setRegisters(registers.repeatCall());
}

/**
 * A trapped call that nobody has taken yet did not happen: when a handler is to run, the call is made after it,
 * and does not end as interrupted. `answered`: home has answered it with a restart code.
 */
export function repeatUnseen(stop: StoppedTask, answered: boolean): void {
  const registers = stop.registers();
  if (registers.interrupted && !answered && describe(registers.syscall)?.class !== 'local')
    stop.setRegisters(registers.repeatCall());
}
