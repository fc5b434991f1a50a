/** Waits of a body that had been cut short and go on, as far as the time they have left is not an argument of the call. */
import type { BufferPlan } from '../../sys/marshal.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import { describe } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { filled } from '../../wire/call_messages.ts';
import { wireBuffers, type BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { heldSignalCalls } from './held_signals.ts';
import { goOnWaiting } from '../task/going_on.ts';
import type { KnownWait } from '../task/marked_calls.ts';
import { endsWithEintr } from '../task/interrupted_calls.ts';
import { readTime, timeStructSize } from '../task/timed_waits.ts';

const EAGAIN = -11;

/** A stopped thread's call that was cut short is made again. Where that is done at home, home is told how long it has waited. */
export function goOnHere(stop: StoppedTask, known: KnownWait): void {
  goOnWaiting(stop, known, describe(stop.registers().syscall)?.class !== 'local');
}

/**
 * restart_syscall(2): a wait goes on whose rest only a kernel knows. What began before the move is known at home; its
 * pointers are the deputy's own addresses, so its data goes there. The arguments are still in the registers.
 */
export function goOn(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const { restartOf } = thread;
  if (restartOf === 0) return body.letThrough(thread, call); // it began in this kernel
  if (restartOf === nr.clock_nanosleep && isCpuClock(call.args[0]))
    return body.comeHome(thread, 'clock_nanosleep of CPU time');
  const plan = buffersOf(restartOf, call.args);
  const wire = wireBuffers(plan).map((buffer) => ({ ...buffer, filled: filled.inPlace }));
  body.forward(thread, { ...call, plan, wire });
}

function isCpuClock(argument: bigint): boolean {
  const clock = Number(BigInt.asIntN(32, argument));
  return clock < 0 || clock === 2 || clock === 3;
}

/** What a restarted call reads and writes: poll its descriptors, a sleep the time that it has left. */
function buffersOf(restartOf: number, args: readonly bigint[]): BufferPlan[] {
  const buffer = (argument: number, length: number): BufferPlan[] =>
    args[argument] === 0n || length === 0
      ? []
      : [{ argument, address: Number(args[argument]), length, direction: 'inout', filled: 'whole', unit: 1 }];
  const pollfd = 8;
  if (restartOf === nr.poll) return buffer(0, Number(args[1]) * pollfd);
  return buffer(restartOf === nr.nanosleep ? 1 : 3, timeStructSize);
}

/**
 * rt_sigtimedwait(2) is made here, and its time-out is in the program's memory. When it is made again for the rest of
 * its time, the engine ends it.
 */
export function waitForSignal(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  const wait = { ...call.trapped, began: call.began, cutShort: false };
  const bytes = peek(body.hostPid, Number(call.args[2]), timeStructSize);
  heldSignalCalls.rt_sigtimedwait(body, thread, call);
  if (thread.call || bytes.length < timeStructSize) return;
  thread.wait = wait;
  if (call.began === call.started) return;
  const left = Number(readTime(bytes)) / 1e6 - (performance.now() - call.began);
  body.loop.after(Math.max(0, left), () => expire(body, thread, wait));
}

function expire(body: BodyHost, thread: BodyThread, wait: BodyThread['wait']): void {
  if (thread.wait !== wait || thread.call || thread.held) return;
  const stop = thread.stopNow();
  if (!stop) return;
  const registers = stop.registers();
  if (stop.event !== 0 && endsWithEintr(registers) && thread.waitsSince(registers) !== undefined)
    stop.setRegisters(registers.finishCall(EAGAIN));
  body.stopped(thread, stop);
}
