/**
 * A write that blocks, on a pipe, a socket or a terminal, and that a stop has ended when a part of it was written: the
 * kernel answers how much (pipe_write in fs/pipe.c). The program must not see that, so the call goes on with the rest, and
 * answers in the end how much it was in all. Where it is short for another reason the rest answers that, and is nothing.
 * See docs/internals/signals.md, "Writes in part".
 */
import { signalSets } from '../../sys/procfs.ts';
import { traceEvent, traceOption, StoppedTask } from '../../sys/ptrace.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { ERESTARTNOINTR, type Registers } from '../../sys/x64/registers.ts';
import { stopSignals } from './default_actions.ts';
import type { Loop } from '../link/loop.ts';

const writes = new Set(['write', 'sendto']);
const ENOSYS = -38;

/** A call of which a part is done. */
export interface PartialWrite {
  nr: number;
  /** As the program made it. */
  args: readonly bigint[];
  written: number;
}

/** The arguments of the rest: address and length are the second and third. */
export function restOfWrite(args: readonly bigint[], written: number): bigint[] {
  const rest = [...args];
  rest[1] += BigInt(written);
  rest[2] -= BigInt(written);
  return rest;
}

/** Whether a handler is about to run: it ends the call, with what was written so far. */
export function handlerIsDue(tid: number): boolean {
  const { pending, blocked, caught } = signalSets(tid);
  return (pending & ~blocked & caught) !== 0n;
}

export function isCaught(tid: number, signal: number): boolean {
  return (signalSets(tid).caught & (1n << BigInt(signal - 1))) !== 0n;
}

/**
 * How much the call has written in whose exit a task was stopped; it is to be made again then, for the rest.
 * @param before what it had written when it was made for the last time, if it was not finished since
 */
export function cutWrite(registers: Registers, tid: number, before: number): number {
  if (!writes.has(nameOf(registers.syscall))) return 0;
  const result = registers.number('rax');
  const written = registers.interrupted ? before : result;
  if (written <= 0 || written >= registers.number('rdx')) return 0;
  if (handlerIsDue(tid)) {
    registers.finishCall(written);
    return 0;
  }
  registers.set('rax', ERESTARTNOINTR);
  return written;
}

/** Lets a stopped task finish such a call at home: it stays traced until the call returns. */
export function finishWrite(loop: Loop, task: StoppedTask, written: number): void {
  const { tid } = task;
  const whole = task.registers();
  if (stopSignals.has(task.signal)) {
    task.setRegisters(whole.finishCall(written)); // a group stop ends such a call, natively, too
    return task.detach();
  }
  const [, address, length] = whole.syscallArguments;
  const [, from, rest] = restOfWrite(whole.syscallArguments, written);
  task.setRegisters(whole.copy().set('rsi', from).set('rdx', rest));
  task.setOptions(traceOption.calls);
  const isTheCall = (registers: Registers): boolean =>
    registers.syscall === whole.syscall &&
    registers.get('rip') === whole.get('rip') &&
    registers.get('rsi') === from &&
    registers.get('rdx') === rest;
  const end = (stop: StoppedTask, registers: Registers, answer: number): void => {
    stop.setRegisters(
      registers
        .finishCall(written + Math.max(0, answer))
        .set('rsi', address)
        .set('rdx', length),
    );
    loop.forgetTask(tid);
    stop.detach(stop.event === 0 && !stop.atCall ? stop.signal : 0);
  };
  loop.discardTask(tid);
  loop.onTask(tid, (status) => {
    if (status.kind !== 'stopped') return loop.forgetTask(tid);
    const stop = new StoppedTask(tid, status.signal, status.event);
    if (stop.event === traceEvent.stop && stopSignals.has(stop.signal)) return void stop.listen();
    const registers = stop.registers();
    const answer = registers.number('rax');
    const inCall = isTheCall(registers) && answer !== ENOSYS;
    if (stop.atCall) {
      if (inCall && !registers.interrupted) end(stop, registers, answer);
      else stop.resumeToCall();
    } else {
      const signal = stop.event === 0 ? stop.signal : 0;
      if (signal && inCall && registers.interrupted && isCaught(tid, signal)) end(stop, registers, 0);
      else stop.resumeToCall(signal);
    }
  });
  task.resumeToCall();
}
