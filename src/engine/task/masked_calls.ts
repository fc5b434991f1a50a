/**
 * Calls that wait with a signal mask of their own (signal mask argument of ppoll(2) and its like, rt_sigsuspend(2)): the
 * kernel has the mask in force while they wait, and the thread's own one comes back when they return, or with the frame
 * of the handler that ended them (set_user_sigmask and sigmask_to_save in the kernel's kernel/signal.c).
 */
import { signalSets } from '../../sys/procfs.ts';
import { isGone, type StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { EINTR, ERESTARTNOHAND, type Registers } from '../../sys/x64/registers.ts';
import { ignoredByDefault, SIGCONT } from './default_actions.ts';
import type { FrozenTask } from './frozen_task.ts';
import { runToCall } from './restarted_call.ts';

/** The argument that points to the mask and the one with its size; pselect6's points to a pair of both. */
const places: ReadonlyMap<string, { readonly argument: number; readonly size?: number }> = new Map([
  ['ppoll', { argument: 3, size: 4 }],
  ['pselect6', { argument: 5 }],
  ['epoll_pwait', { argument: 4, size: 5 }],
  ['epoll_pwait2', { argument: 4, size: 5 }],
  ['rt_sigsuspend', { argument: 0, size: 1 }],
]);

const maskSize = 8;
const EINVAL = -22;
const EFAULT = -14;
/** SIGKILL and SIGSTOP, which no mask blocks. */
const unblockable = (1n << 8n) | (1n << 18n);

/** It always means something: the process goes on. */
const continues = 1n << BigInt(SIGCONT - 1);
const droppedByDefault = [...ignoredByDefault].reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n);

/** The argument by which a call says its mask. */
export function maskArgument(number: number): number | undefined {
  return places.get(nameOf(number))?.argument;
}

/** The mask that a call of process `pid` waits with, or the error that it ends with; undefined: it has none. */
export function maskOf(pid: number, number: number, args: readonly bigint[]): bigint | number | undefined {
  const place = places.get(nameOf(number));
  if (!place || args[place.argument] === 0n) return undefined;
  let address = args[place.argument];
  let size = place.size === undefined ? 0n : args[place.size];
  if (place.size === undefined) {
    const pair = Buffer.from(peek(pid, Number(address), 16));
    if (pair.length < 16) return EFAULT;
    address = pair.readBigUInt64LE(0);
    size = pair.readBigUInt64LE(8);
    if (address === 0n) return undefined;
  }
  if (size !== BigInt(maskSize)) return EINVAL;
  const bytes = Buffer.from(peek(pid, Number(address), maskSize));
  return bytes.length < maskSize ? EFAULT : bytes.readBigUInt64LE() & ~unblockable;
}

/** The mask of the wait that a stopped task has been cut short in. */
function waitMask(task: StoppedTask): bigint | undefined {
  const registers = task.registers();
  if (registers.syscall < 0 || registers.number('rax') !== ERESTARTNOHAND) return undefined;
  const mask = maskOf(task.tid, registers.syscall, registers.syscallArguments);
  return typeof mask === 'bigint' ? mask : undefined;
}

/**
 * Whether a stopped task that is about to be let go has to be back in its wait with a mask, which was cut short, before a
 * signal acts: that mask decides which one does, and not the thread's own, which would let one through.
 * @param unattended nobody sees the signals that come before it is there: on a busy machine that may take long
 */
function mustGoBack(task: StoppedTask, own: bigint, unattended: boolean): boolean {
  const mask = waitMask(task);
  if (mask === undefined || mask === own) return false;
  return unattended || (signalSets(task.tid).pending & ~own) !== 0n;
}

/**
 * Brings such a task to the beginning of its call. It blocks all signals then, and gets its own mask by the caller.
 * @returns undefined if that is not necessary
 */
export function backInWait(task: StoppedTask, unattended = false): { task: StoppedTask; own: bigint } | undefined {
  try {
    const own = task.signalMask();
    if (!mustGoBack(task, own, unattended)) return undefined;
    task.setSignalMask((1n << 64n) - 1n);
    return { task: runToCall(task), own };
  } catch (error) {
    if (isGone(error)) return undefined; // whoever waits for it hears of that
    throw error;
  }
}

/** The same for a task whose kernel makes the call itself: there its own mask is as it should be. */
export function goBack(task: StoppedTask): StoppedTask {
  const back = backInWait(task, true);
  if (!back) return task;
  try {
    back.task.setSignalMask(back.own);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return back.task;
}

/**
 * Whether a signal means nothing to a stopped task that is to go back into its wait: it is ignored and the wait's mask lets it
 * in, so the kernel would have dropped it when it came (sig_ignored in kernel/signal.c). While the task is on its way its own
 * mask keeps it.
 */
export function isUnheard(task: StoppedTask, signal: number): boolean {
  const bit = 1n << BigInt(signal - 1);
  const mask = meansNothing(task.tid, bit) ? waitMask(task) : undefined;
  return mask !== undefined && (mask & bit) === 0n;
}

/** Of a set of signals those that are ignored, by the program or by default. */
function meansNothing(tid: number, bits: bigint): boolean {
  const { ignored, caught } = signalSets(tid);
  return (bits & ~((ignored | (droppedByDefault & ~caught)) & ~continues)) === 0n;
}

/**
 * A call of the EINTR class ends with that even for a signal that is ignored, if it was due before the call: later no kernel
 * notices one. Such a call is not to be made again as one that our stop has cut short: it ends, or, if the signal waits
 * still, has not begun yet and is made anew.
 * @param stopped a task whose call has ended with EINTR at our stop, and which was not asleep in it
 * @returns the registers that say so; undefined for other calls
 */
export function endedByDue({ task, pendingSignal }: FrozenTask): Registers | undefined {
  const registers = task.registers();
  const mask = maskOf(task.tid, registers.syscall, registers.syscallArguments);
  if (typeof mask !== 'bigint') return undefined;
  const { blocked, pending } = signalSets(task.tid);
  if (blocked !== mask) return registers.finishCall(EINTR); // the kernel has taken the wait's mask back: it has ended
  const due = (pending & ~mask) | (pendingSignal ? 1n << BigInt(pendingSignal.signal - 1) : 0n);
  if (due === 0n || !meansNothing(task.tid, due)) return undefined; // a handler ends it
  task.setSignalMask(task.signalMask()); // in place of the wait's, which would let the signal in
  return registers.repeatCall();
}
