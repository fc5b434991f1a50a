/**
 * Signals that wait in a kernel's queues: looked at, taken out, and put into another kernel's queues in the same order.
 * A process has one queue, and each of its threads has one; see signal(7), "Pending signals".
 */
import { SIGSTOP } from '../../sys/own_stops.ts';
import { signalSets } from '../../sys/procfs.ts';
import { SIGTRAP, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { SIGCONT, stopSignals } from '../task/default_actions.ts';
import { isUnheard } from '../task/masked_calls.ts';
import type { SignalImage } from './image.ts';
import { codeOf, isFault, isForThread, signalOf, wasTgkill } from '../task/siginfo.ts';
import { layout, type InjectedCall, type Injection, type Stub } from '../task/stub.ts';

/** TSTP, TTIN, TTOU: the stop signals that can be caught, blocked and taken out of a queue. */
export const stopMask = [...stopSignals].reduce(
  (mask, signal) => (signal === SIGSTOP ? mask : mask | bitOf(signal)),
  0n,
);

/** A signal that was about to be delivered to a thread. */
export function signalImage(pid: number, tid: number, pending: { signal: number; info: Uint8Array }): SignalImage {
  return imageOf(pending.signal, pending.info, isForThread(pending.info, tid === pid) ? tid : 0);
}

/** Whether a signal was surely sent to one thread, not just taken by it. */
export function namesThread(signal: SignalImage): boolean {
  return wasTgkill(Buffer.from(signal.info, 'base64'));
}

/** Whether a signal waits for a thread that it does not block; `mask` if another than its own is in force. */
export function signalIsDue(tid: number, mask?: bigint): boolean {
  const { pending, blocked } = signalSets(tid);
  return (pending & ~(mask ?? blocked)) !== 0n;
}

/** The place of a signal in a mask. */
export function bitOf(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

export function imageOf(signal: number, info: Uint8Array, tid: number): SignalImage {
  return { signal, info: Buffer.from(info).toString('base64'), tid };
}

/**
 * The signals in the queues of stopped tasks (all of one process), each queue in its order, without the `held` ones and
 * SIGSTOP, which acts where it is.
 */
export function waitingSignals(tasks: readonly StoppedTask[], held: bigint): SignalImage[] {
  const images = (infos: readonly Uint8Array[], tid: number): SignalImage[] =>
    infos
      .map((info) => ({ info, signal: signalOf(info) }))
      .filter((pending) => pending.signal !== SIGSTOP && !isFault(pending) && (held & bitOf(pending.signal)) === 0n)
      .map(({ info, signal }) => imageOf(signal, info, tid));
  return [
    ...tasks.flatMap((task) => images(task.pendingSignals(false), task.tid)),
    ...images(tasks[0]?.pendingSignals(true) ?? [], 0),
  ];
}

/** Takes the signals out of the queues of stopped tasks, except `held` ones, and SIGKILL and SIGSTOP, which nobody can take. */
export function drainSignals(stub: Stub, tasks: readonly StoppedTask[], held: bigint): SignalImage[] {
  const out: SignalImage[] = [];
  for (const task of tasks) {
    const main = task === tasks[0];
    const queue = task.pendingSignals(false);
    if (queue.length === 0 && !(main && task.pendingSignals(true).length)) continue;
    using session = stub.borrow(task);
    const trap = session.takeTrap();
    const mine = queue.filter((info) => !trap || signalOf(info) !== SIGTRAP).length;
    if (trap) out.push(imageOf(SIGTRAP, trap, mine < queue.length ? task.tid : 0));
    // The thread's own queue comes first; what else the first thread finds is the process's.
    let next = takeOne(stub, session, ~held);
    for (let taken = 1; next; taken++) {
      if (!isFault(next)) out.push(imageOf(next.signal, next.info, taken <= mine ? task.tid : 0));
      next = main || taken < mine ? takeOne(stub, session, ~held) : undefined;
    }
  }
  return out;
}

/** rt_sigtimedwait(2) without waiting; `then` are calls to make directly afterwards. */
export function takeOne(
  stub: Stub,
  session: Injection,
  mask: bigint,
  then: readonly InjectedCall[] = [],
): { signal: number; info: Uint8Array } | undefined {
  const { memory } = stub;
  memory.u8.fill(0, layout.scratch, layout.scratch + 160);
  memory.u64[layout.scratch / 8] = BigInt.asUintN(64, mask);
  const [signal] = session.run([
    [nr.rt_sigtimedwait, stub.scratchAddress(0), stub.scratchAddress(32), stub.scratchAddress(16), 8],
    ...then,
  ]);
  return signal > 0 ? { signal, info: memory.u8.slice(layout.scratch + 32, layout.scratch + 160) } : undefined;
}

/**
 * Queues a signal with its exact siginfo. A task may send any si_code only to itself: a thread to itself, the main thread
 * to the process (rt_sigqueueinfo(2)). Where that has ended, a thread takes what it may not queue for the process.
 * @param by the thread that queues it, by the ids that the process itself knows
 */
export function queueSignal(
  stub: Stub,
  session: Injection,
  by: { pid: number; tid: number },
  signal: SignalImage,
): void {
  const bytes = Buffer.from(signal.info, 'base64');
  bytes.copy(stub.memory.buffer, layout.scratch);
  const mayQueue = by.tid === by.pid || codeOf(bytes) < 0;
  const target = signal.tid || (mayQueue ? 0 : by.tid);
  const info = stub.scratchAddress(0);
  session.run([
    target
      ? [nr.rt_tgsigqueueinfo, by.pid, target, signal.signal, info]
      : [nr.rt_sigqueueinfo, by.pid, signal.signal, info],
  ]);
}

/**
 * Queues signals in stopped tasks: each thread queues its own, the main thread (the first) those of the process.
 * `tids` are the tasks' ids as the process itself knows them.
 */
export function queueSignals(
  stub: Stub,
  pid: number,
  threads: readonly { tid: number; task: StoppedTask }[],
  signals: readonly SignalImage[],
): void {
  threads.forEach(({ tid, task }, index) => {
    const isOwn = (signal: SignalImage): boolean => signal.tid === tid || (index === 0 && signal.tid === 0);
    const own = signals.filter((signal) => isOwn(signal) && !isUnheard(task, signal.signal));
    if (own.length === 0) return;
    using session = stub.borrow(task);
    for (const signal of own) queueSignal(stub, session, { pid, tid }, signal);
  });
}

/** What remains when SIGCONT has come. */
export function withoutStops(signals: readonly SignalImage[]): SignalImage[] {
  return signals.filter(({ signal }) => !stopSignals.has(signal));
}

/**
 * Stop signals and SIGCONT make each other void, whichever comes last (prepare_signal in kernel/signal.c). `signals` are in
 * the order in which they came; what waits in the tasks' own queues, and a group stop that they are in, came after them.
 */
export function stillDue(signals: readonly SignalImage[], tasks: readonly StoppedTask[]): SignalImage[] {
  const waiting = tasks.reduce((mask, task) => mask | signalSets(task.tid).pending, 0n);
  const stopped = (waiting & (stopMask | bitOf(SIGSTOP))) !== 0n || tasks.some((task) => task.groupStop());
  const continued = (waiting & bitOf(SIGCONT)) !== 0n;
  let due: SignalImage[] = [];
  for (const signal of signals) {
    if (stopSignals.has(signal.signal)) due = due.filter((one) => one.signal !== SIGCONT);
    else if (signal.signal === SIGCONT) due = withoutStops(due);
    due.push(signal);
  }
  return due.filter(({ signal }) => !(signal === SIGCONT && stopped) && !(stopSignals.has(signal) && continued));
}

/** What was taken beyond what was carried: in each queue the first ones of a number are those carried. */
export function newSignals(taken: readonly SignalImage[], carried: readonly SignalImage[]): SignalImage[] {
  const left = [...carried];
  return taken.filter((signal) => {
    const known = left.findIndex((one) => one.signal === signal.signal && one.tid === signal.tid);
    if (known >= 0) left.splice(known, 1);
    return known < 0;
  });
}

/** Those up to the last SIGCONT, and those that came after it. */
export function splitAtContinue(signals: readonly SignalImage[]): [SignalImage[], SignalImage[]] {
  const end = signals.findLastIndex(({ signal }) => signal === SIGCONT) + 1;
  return [signals.slice(0, end), signals.slice(end)];
}
