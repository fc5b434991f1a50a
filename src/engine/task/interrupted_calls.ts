/**
 * System calls that a stop has cut short, in the registers of the stopped task. The kernel that resumes the task decides
 * how they end: with EINTR when a handler is to run, else they are made again (arch_do_signal_or_restart in the kernel's
 * arch/x86/kernel/signal.c). So a restart code travels as it is, together with the signals that wait.
 */
import { peek } from '../../sys/remote_memory.ts';
import { describe } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, type Registers } from '../../sys/x64/registers.ts';
import { readTime, timeoutOf, timeStructSize } from './timed_waits.ts';

/**
 * Whether the call was cut short. Calls of the EINTR class have no code for that: they answer even our own stop with
 * EINTR. A handler that ran has set its own registers, so such a result was not its doing.
 */
export function isCutShort(registers: Registers): boolean {
  return registers.interrupted || endsWithEintr(registers);
}

/** A call of the EINTR class that a stop has ended. */
export function endsWithEintr(registers: Registers): boolean {
  return (
    registers.syscall >= 0 && registers.number('rax') === EINTR && describe(registers.syscall)?.interrupted === 'eintr'
  );
}

/** Gives such a call the code that it lacks: made again, unless a handler runs. */
export function giveCode(registers: Registers): Registers {
  return endsWithEintr(registers) ? registers.set('rax', ERESTARTNOHAND) : registers;
}

/** Nanoseconds. More: more programs wait too long, less: more see EINTR. */
const longWait = 1_000_000_000n;

function waitsLong(tid: number, registers: Registers): boolean {
  const timeout = timeoutOf(nr.futex, registers.syscallArguments);
  if (timeout?.kind !== 'timespec') return false;
  const bytes = peek(tid, Number(registers.syscallArguments[timeout.argument]), timeStructSize);
  return bytes.length < timeStructSize || readTime(bytes) > longWait;
}

/** What is known of a call that the task had gone on with by restart_syscall(2). */
interface GoneOnWith {
  /** Which call it was; 0: it had not gone on. */
  restartOf: number;
  /** Its begin is known, and travels. */
  beginKnown: boolean;
}

/**
 * Makes the registers of a stopped task mean the same in another kernel.
 * @returns the call whose rest only the home kernel knows (how long to go on sleeping), or 0
 */
export function carryCall(tid: number, registers: Registers, { restartOf, beginKnown }: GoneOnWith): number {
  if (registers.syscall < 0 || !isCutShort(registers)) {
    registers.set('orig_rax', -1);
    return 0;
  }
  giveCode(registers);
  // Whoever goes on may have been stopped just before it did, by any of the codes.
  const goingOn = registers.syscall === nr.restart_syscall;
  if (!goingOn && registers.number('rax') !== ERESTART_RESTARTBLOCK) return 0;
  const call = goingOn ? restartOf : registers.syscall;
  if (goingOn && call !== 0) registers.set('rax', ERESTART_RESTARTBLOCK);
  if (call !== nr.futex) return call;
  // The word that it waits for is in the body: a futex is waited for where the body is, for the rest of its time. When that
  // began is not known for one that was taken up before the program ever moved: a short wait counts from then, a long one
  // ends as futex(2)'s callers must expect.
  registers.set('orig_rax', nr.futex).set('rax', ERESTARTNOHAND);
  if (goingOn && !beginKnown && waitsLong(tid, registers)) registers.finishCall(EINTR);
  return 0;
}
