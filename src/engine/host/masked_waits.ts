/**
 * Waits with a signal mask of their own: ppoll, pselect6, epoll_pwait, epoll_pwait2. Readiness is seen at home, the mask
 * concerns signals, which act here. While the call is at home the thread's own mask stays in this kernel; the wait's one is
 * put in force when a signal is due that ends the wait.
 * See docs/internals/signals.md, "Waits with a mask".
 */
import { planForwarded, type BufferPlan } from '../../sys/marshal.ts';
import { deliverAndStop } from '../../sys/own_stops.ts';
import { TaskEnded, type StoppedTask } from '../../sys/ptrace.ts';
import { peek, poke } from '../../sys/remote_memory.ts';
import { signalSets } from '../../sys/procfs.ts';
import { describe, nameOf } from '../../sys/syscalls.ts';
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from '../../sys/x64/registers.ts';
import { signalFrame } from '../../sys/x64/signal_frame.ts';
import { bodyMemory, plannedCall, type BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { plainForward } from './forwarded_calls.ts';
import { bitOf, signalIsDue } from '../image/pending_signals.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import { backInWait, maskArgument, maskOf } from '../task/masked_calls.ts';
import { readTime, timeoutOf, timeStructSize } from '../task/timed_waits.ts';

const EFAULT = -14;
/** The argument with the time-out: a number of milliseconds, or a struct timespec. */
const timeArguments: Readonly<Record<string, number>> = { ppoll: 2, pselect6: 4, epoll_pwait: 3, epoll_pwait2: 3 };

/** A call as it trapped. */
export function waitWithMask(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const mask = maskOf(body.hostPid, call.nr, call.args);
  if (typeof mask === 'number') return body.finish(thread, call, mask);
  const wait = { ...call, args: call.args.with(maskArgument(call.nr) ?? 0, 0n) };
  const blocked = thread.ownMask ?? signalSets(thread.hostTid).blocked;
  if (mask === undefined || mask === blocked) return plainForward(body, thread, wait);
  if ((body.heldSignals & ~mask) !== 0n)
    return body.comeHome(thread, 'it waits for a signal that it also reads from a signalfd');
  // This kernel gives a signal for the process to a thread whose own mask lets it through.
  if (thread.lodger || ((mask & ~blocked) !== 0n && body.threads.length > 1))
    return body.comeHome(thread, `${nameOf(call.nr)} with a signal mask that blocks more`);
  const masked = { ...wait, mask };
  if (isDue(thread, mask)) look(body, thread, masked);
  else begin(body, thread, masked);
}

/** Whether a signal has come that ends the wait. */
function isDue(thread: BodyThread, mask: bigint): boolean {
  return (
    signalIsDue(thread.hostTid, mask) || thread.signalsAfterCall.some(({ signal }) => (bitOf(signal) & ~mask) !== 0n)
  );
}

function isCode(result: number): boolean {
  return result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
}

/** epoll_wait(2) and its like: asked to look only, they do not see signals (ep_poll in the kernel's fs/eventpoll.c). */
function onlyLooks(body: BodyHost, { nr, args }: BodyCall): boolean {
  const timeout = timeoutOf(nr, args);
  if (timeout?.kind !== 'timespec') return timeout?.kind === 'milliseconds' && timeout.milliseconds === 0;
  const bytes = peek(body.hostPid, Number(args[timeout.argument]), timeStructSize);
  return bytes.length === timeStructSize && readTime(bytes) === 0n;
}

/** Makes a call at home whose every answer `ended` gets; what select(2) says of its sets only when something is ready. */
function forward(
  body: BodyHost,
  thread: BodyThread,
  call: BodyCall,
  { timeout, ended }: { timeout?: BufferPlan; ended: (result: number, made: BodyCall) => void },
): void {
  const plan = planForwarded(call.nr, call.args, bodyMemory(body.hostPid));
  if (plan.kind !== 'forward') return body.comeHome(thread, nameOf(call.nr));
  const buffers = plan.buffers
    .filter(({ argument }) => argument !== timeout?.argument)
    .map((buffer) => (isSet(call, buffer) ? ({ ...buffer, filled: 'element', unit: 0 } as const) : buffer));
  const made = plannedCall(call, { ...plan, buffers: timeout ? [...buffers, timeout] : buffers });
  made.always = true;
  made.onResult = (result) => ended(result, thread.call ?? made);
  body.forward(thread, made);
}

function isSet(call: BodyCall, { argument }: BufferPlan): boolean {
  return nameOf(call.nr) === 'pselect6' && argument >= 1 && argument <= 3;
}

/** Whether it had been waiting before it was cut short. */
function hasBegun({ cutBy }: BodyCall): boolean {
  return cutBy !== undefined && cutBy !== ERESTARTNOINTR;
}

/** The wait itself. */
function begin(body: BodyHost, thread: BodyThread, wait: BodyCall): void {
  forward(body, thread, wait, {
    ended: (result, made) => {
      const due = !body.still && isDue(thread, wait.mask!);
      if (due && result === ERESTARTNOINTR) return look(body, thread, wait);
      if (due && (isCode(result) || (result === 0 && !onlyLooks(body, wait))))
        return suspend(body, thread, made, 'during');
      body.finish(thread, made, result === 0 ? nothingReady(body, made) : result);
    },
  });
}

/** The answer of a wait whose time is over. */
function nothingReady(body: BodyHost, made: BodyCall): number {
  const sets = made.plan.filter((buffer) => isSet(made, buffer));
  return sets.every(({ address, length }) => body.write(address, new Uint8Array(length))) ? 0 : EFAULT;
}

/** A signal is due although nobody has looked yet whether something is ready, which would be the answer. */
function look(body: BodyHost, thread: BodyThread, wait: BodyCall): void {
  const argument = timeArguments[nameOf(wait.nr)];
  const none = new Uint8Array(timeStructSize);
  const inMemory = nameOf(wait.nr) !== 'epoll_pwait';
  const question = { ...wait, began: wait.started, args: inMemory ? wait.args : wait.args.with(argument, 0n) };
  const timeout: BufferPlan = {
    argument,
    address: 0,
    length: none.length,
    direction: 'in',
    filled: 'whole',
    unit: 1,
    contents: none,
  };
  forward(body, thread, question, {
    ...(inMemory ? { timeout } : {}),
    ended: (result) => {
      const due = isDue(thread, wait.mask!);
      if (due && !body.still && result === ERESTARTNOINTR) return look(body, thread, wait);
      if (result !== 0 && !isCode(result)) return body.finish(thread, wait, result);
      if (result === 0 && onlyLooks(body, wait)) return body.finish(thread, wait, 0);
      if (due && body.still) body.finish(thread, wait, ERESTARTNOINTR); // it has not begun
      else if (due) suspend(body, thread, wait, hasBegun(wait) ? 'during' : 'before');
      else body.finish(thread, wait, result === 0 ? ERESTARTNOHAND : result);
    },
  });
}

/** Cuts a call short, so that it is made again or a handler ends it; `change` gets the thread where it has stopped. */
function makeAgain(body: BodyHost, thread: BodyThread, call: BodyCall, change: (stop: StoppedTask) => void): void {
  if (body.still) return body.finish(thread, call, ERESTARTNOHAND);
  thread.call = undefined;
  thread.noteWait(call);
  thread.running.interrupt();
  thread.answered(call, ERESTARTNOHAND);
  body.respond(call, ERESTARTNOHAND);
  const stop = thread.awaitStop();
  if (!stop) return;
  change(stop);
  body.signals.queueInto(thread, stop, thread.signalsAfterCall.splice(0));
}

/**
 * Nothing is ready and a signal is due: the thread has the wait's mask in force until a handler runs. If none does after all
 * the call is made again, and `leaveWait` gives the thread its own mask back.
 */
function suspend(body: BodyHost, thread: BodyThread, wait: BodyCall, when: 'before' | 'during'): void {
  makeAgain(body, thread, wait, (stop) => {
    restoreMask(thread, stop);
    thread.ownMask = stop.signalMask();
    thread.letsIn = when;
    stop.setSignalMask(wait.mask!);
  });
}

/**
 * The call of a thread that has the wait's mask in force is made again: what was due ran no handler. If it was due before
 * the call, one of the EINTR class ends with that all the same; what comes later and is ignored no kernel notices.
 */
export function leaveWait(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  makeAgain(body, thread, call, (stop) => {
    const { letsIn } = thread;
    restoreMask(thread, stop);
    if (letsIn === 'during' || describe(call.nr)?.interrupted !== 'eintr') return;
    thread.handlerRuns(stop);
    stop.setRegisters(stop.registers().finishCall(EINTR));
  });
}

/**
 * A thread has stopped for the way home that `letsIn` signals, by now with its own mask in force. If the one that was due
 * before the call waits still, the call is made anew; if it was dropped a call of the EINTR class ends (`leaveWait`).
 */
export function endWait(thread: BodyThread, { task, pendingSignal }: FrozenTask, letsIn: BodyThread['letsIn']): void {
  const registers = task.registers();
  const repeats = registers.syscall < 0; // from its `syscall` instruction
  const call = repeats ? registers.number('rax') : registers.syscall;
  if (letsIn !== 'before' || describe(call)?.interrupted !== 'eintr') return;
  const mask = maskOf(task.tid, call, registers.syscallArguments);
  if (typeof mask !== 'bigint') return;
  const waits = pendingSignal !== undefined || signalIsDue(task.tid, mask);
  if (repeats && waits) return;
  thread.handlerRuns(task);
  if (repeats) registers.undoRepeat(call, EINTR);
  task.setRegisters(waits ? registers.repeatCall() : registers.finishCall(EINTR));
}

/** A stopped thread gets its own mask back, if another one is in force. */
export function restoreMask(thread: BodyThread, stop: StoppedTask): void {
  if (thread.ownMask !== undefined) stop.setSignalMask(thread.ownMask);
  thread.ownMask = undefined;
  thread.letsIn = undefined;
}

/**
 * A handler is about to run in a thread that has the wait's mask in force. It runs with that mask, and when it returns the
 * thread has its own one: that is what the kernel is to read from the frame.
 * @returns the thread where the handler begins; undefined if it has ended
 */
export function runHandler(thread: BodyThread, stop: StoppedTask): StoppedTask | undefined {
  const registers = stop.registers();
  if (!registers.interrupted) {
    // The kernel was about to make the call again: it ends all the same, if there is a handler.
    registers.set('orig_rax', registers.get('rax')).set('rip', registers.get('rip') + 2n);
    stop.setRegisters(registers.set('rax', ERESTARTNOHAND));
  }
  let begun: StoppedTask;
  try {
    begun = deliverAndStop(stop).waitStop();
  } catch (error) {
    if (error instanceof TaskEnded) return undefined;
    throw error;
  }
  const frame = begun.registers().number('rsp');
  const returnsTo = Buffer.from(peek(begun.tid, frame + signalFrame.rip, 8));
  const entered = begun.registers().get('rip') !== registers.get('rip');
  if (!entered || returnsTo.length < 8 || returnsTo.readBigUInt64LE() !== registers.get('rip')) return begun; // no handler any more
  poke(begun.tid, frame + signalFrame.mask, Buffer.from(BigUint64Array.of(thread.ownMask!).buffer));
  thread.ownMask = undefined;
  thread.letsIn = undefined;
  return begun;
}

/**
 * A stopped thread is about to run. If it has to be back in its wait first, it blocks all signals until the call has ended:
 * one that its own mask lets through would act before the call is taken.
 */
export function beforeRunning(thread: BodyThread, stop: StoppedTask): StoppedTask {
  if (thread.letsIn) return stop;
  restoreMask(thread, stop);
  const back = backInWait(stop);
  if (!back) return stop;
  if (nameOf(back.task.registers().syscall) === 'rt_sigsuspend') back.task.setSignalMask(back.own);
  else thread.ownMask = back.own;
  return back.task;
}
