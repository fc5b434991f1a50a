/**
 * Knowing a call again. A task that was stopped in a wait is let go and makes the call again; when it is stopped once more,
 * is it still the same wait, or has it left it and begun another one just like it? Nothing that can be seen from outside
 * tells: number, arguments and place are the same.
 *
 * So the call is marked before the task is let go, in the upper half of orig_rax. The kernel takes the number of a call from
 * the lower half, makes an interrupted call again with what orig_rax holds, and keeps it in the task's registers until the
 * next call, which has its own. A mark is there exactly as long as the program has not left the call, whatever wakes it,
 * and however late it comes to run. (arch_do_signal_or_restart in arch/x86/kernel/signal.c, entry_SYSCALL_64 in
 * arch/x86/entry/entry_64.S; a call that ends because a handler is to run is not made again, so no program sees a mark.)
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import {
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTSYS,
  lowHalf,
  type Registers,
} from '../../sys/x64/registers.ts';
import { isCutShort } from './interrupted_calls.ts';

/** What is known of the call that a task was stopped in. */
export interface KnownWait {
  /** When the program began to wait, on this host's CLOCK_MONOTONIC. */
  readonly since: bigint;
  /** The call that goes on by restart_syscall(2); 0: it is made itself. */
  readonly restartOf: number;
}

/** What was changed in a call so that it waits for the rest of its time only. */
export interface ChangedCall {
  /** When, on this host's CLOCK_MONOTONIC: as long as it is changed it waits since then. */
  readonly at: bigint;
  /** Puts it back in registers that were read since. @returns since when the call, as it is then, has waited */
  undo(registers: Registers, since: bigint): bigint;
}

interface Mark extends KnownWait {
  readonly tid: number;
  readonly call: number;
  /** Where the program goes on after the call. */
  readonly next: bigint;
  readonly changed: ChangedCall | undefined;
}

/** By the number that stands in the call. The oldest are forgotten: tasks have ended, calls have returned. */
const marks = new Map<number, Mark>();
const remembered = 20_000;
const markBits = 0x1_0000_0000;
/** Begins anywhere, so that what an earlier engine has marked is not taken for ours. */
let lastMark = Math.floor(Math.random() * markBits);

/** Whether a marked call would show as one: it is made again unless a handler runs, or in any case. */
function isMadeAgain(registers: Registers): boolean {
  return registers.interrupted && registers.number('rax') !== ERESTARTSYS;
}

/**
 * Marks the call of a stopped task, in `registers`, if it was cut short and is to be made again.
 * @returns what `isMarked` takes; undefined when there is nothing to mark
 */
export function markCall(
  tid: number,
  registers: Registers,
  known: KnownWait,
  changed?: ChangedCall,
): number | undefined {
  if (!isMadeAgain(registers)) return undefined;
  const restarts = registers.number('rax') === ERESTART_RESTARTBLOCK;
  const goesOn = registers.syscall === nr.restart_syscall;
  if (goesOn && known.restartOf === 0) return undefined; // with what, nobody knows
  const restartOf = goesOn ? known.restartOf : restarts ? registers.syscall : 0;
  // The kernel would do the same, without a mark.
  const call = restarts ? nr.restart_syscall : registers.syscall;
  if (restarts) registers.set('rax', ERESTARTNOHAND);
  lastMark = (lastMark % (markBits - 1)) + 1;
  marks.delete(lastMark);
  marks.set(lastMark, { tid, call, next: registers.get('rip'), since: known.since, restartOf, changed });
  registers.setCall(call, lastMark);
  const [oldest] = marks.keys();
  if (marks.size > remembered) marks.delete(oldest);
  return lastMark;
}

/** The mark of the call that a task was stopped in; undefined when that has none, or none of ours. */
export function markOf(tid: number, registers: Registers): number | undefined {
  return find(tid, registers)?.number;
}

/** Whether nobody has taken the mark yet, and the call it is in may go on. */
export function isMarked(mark: number): boolean {
  return marks.has(mark);
}

/** The program is seen to be elsewhere: the call has ended. */
export function dropMark(mark: number): void {
  marks.delete(mark);
}

function find(tid: number, registers: Registers): { number: number; mark: Mark; begins: boolean } | undefined {
  const inCall = registers.syscall >= 0;
  const word = registers.get(inCall ? 'orig_rax' : 'rax');
  const number = Number(word >> 32n);
  const mark = number === 0 ? undefined : marks.get(number);
  if (!mark || mark.tid !== tid || mark.call !== lowHalf(word)) return undefined;
  // It has not come to make the call yet: its `syscall` instruction, 2 bytes long, comes next.
  const begins = registers.get('rax') === word && registers.get('rip') + 2n === mark.next;
  return inCall || begins ? { number, mark, begins } : undefined;
}

/** What is known of the call that a task was stopped in, and still is in; undefined when it is another one than was marked. */
export function knownCall(tid: number, registers: Registers): KnownWait | undefined {
  const mark = find(tid, registers)?.mark;
  return mark && { since: mark.changed?.at ?? mark.since, restartOf: mark.restartOf };
}

/**
 * The same, for good: the stopped task's call is then as the program made it and as it was cut short.
 * @param registers those of the task; changed there as well
 */
export function takeMark(task: StoppedTask, registers: Registers): KnownWait | undefined {
  const found = find(task.tid, registers);
  if (!found) return undefined;
  const { number, mark, begins } = found;
  marks.delete(number);
  const isOpen = begins || isCutShort(registers);
  if (begins) registers.undoRepeat(mark.call, ERESTARTNOHAND);
  else registers.setCall(mark.call);
  if (isOpen && mark.call === nr.restart_syscall) registers.set('rax', ERESTART_RESTARTBLOCK);
  const since = (isOpen ? mark.changed?.undo(registers, mark.since) : undefined) ?? mark.since;
  task.setRegisters(registers);
  return { since, restartOf: mark.restartOf };
}
