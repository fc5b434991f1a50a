/**
 * A call that was cut short is made again, for the rest of its time, and is marked so that it is known again. A wait never
 * ends before its time. See docs/internals/time.md.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { argumentRegisters, ERESTART_RESTARTBLOCK, ERESTARTNOINTR, type Registers } from '../../sys/x64/registers.ts';
import { readClock } from './clocks.ts';
import { handlerIsDue } from './partial_writes.ts';
import { markCall, type ChangedCall, type KnownWait } from './marked_calls.ts';
import { countedTime, millisecondsLeft, readTimeAt, timeoutOf, writeTimeAt } from './timed_waits.ts';

/**
 * A stopped task whose wait was cut short goes on waiting as if it had done so all the time; its call is marked.
 * @param elsewhere the call is made by another kernel, and it is said there how long it has waited
 * @returns the mark; undefined when its call will not be made again
 */
export function goOnWaiting(task: StoppedTask, known: KnownWait, elsewhere = false): number | undefined {
  const registers = task.registers();
  if (!registers.interrupted) return undefined;
  // A handler that runs first runs before this call, not in it: then the call is a new one.
  if (registers.number('rax') === ERESTARTNOINTR && handlerIsDue(task.tid)) return undefined;
  const ownTime = !elsewhere && registers.number('rax') !== ERESTART_RESTARTBLOCK;
  const changed = ownTime ? waitForTheRest(task, registers, known.since) : undefined;
  const mark = markCall(task.tid, registers, known, changed);
  task.setRegisters(registers);
  return mark;
}

/** Below the stack pointer and its red zone: where the next signal frame would lie, so nobody's memory. */
const belowStack = 160;

/**
 * Has a stopped task's interrupted call wait for the rest of its time when it is made again: changes `registers` (or,
 * where the kernel itself would write the rest, the program's memory). Not for sockets, whose time-out is no argument.
 * @param since when the wait began; of what the kernel counts down, when that was what is in memory now
 */
function waitForTheRest(task: StoppedTask, registers: Registers, since: bigint): ChangedCall | undefined {
  const timeout = timeoutOf(registers.syscall, registers.syscallArguments);
  if (!timeout || timeout.kind === 'socket') return undefined;
  const register = argumentRegisters[timeout.argument];
  const before = registers.get(register);
  const at = readClock('monotonic');
  const undo = (later: Registers, began: bigint): bigint => {
    later.set(register, before);
    return began;
  };
  if (timeout.kind === 'milliseconds') {
    registers.set(register, millisecondsLeft(timeout.milliseconds, at - since));
    return { at, undo };
  }
  const address = registers.number(register);
  if (timeout.kind === 'counted') return countDown(task.tid, registers, since);
  const whole = readTimeAt(task.tid, address);
  const place = Math.floor((registers.number('rsp') - belowStack) / 16) * 16;
  // What is there from before, and was not known again, is overwritten: from now on it is the rest since now.
  const undoThere = place === address ? (): bigint => at : undo;
  // No memory there: the whole time-out once more.
  if (whole === undefined || !writeTimeAt(task.tid, place, whole - (at - since))) return undefined;
  registers.set(register, place);
  return { at, undo: undoThere };
}

/**
 * The rest of a time that the kernel counts down; the same again when the call is stopped, whatever the kernel wrote there.
 * @param since when what is in memory was the rest
 */
function countDown(tid: number, registers: Registers, since: bigint): ChangedCall | undefined {
  const counted = countedTime(tid, registers.syscall, registers.syscallArguments);
  if (!counted) return undefined;
  const { address, fraction, rest } = counted;
  const write = (): bigint => {
    const now = readClock('monotonic');
    writeTimeAt(tid, address, rest - (now - since), fraction);
    return now;
  };
  return { at: write(), undo: write };
}
