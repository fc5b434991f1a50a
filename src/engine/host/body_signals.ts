/**
 * Signals on their way into a body: each is queued in the body's kernel by the thread that may do so, in the order in which
 * they came, before the program does anything else. See docs/internals/signals.md, "From home to the body".
 */
import { stopAgain } from '../../sys/own_stops.ts';
import { signalSets } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { callToInterrupt, type BodyThread } from './body_thread.ts';
import { ignoredByDefault, SIGCONT, stopSignals } from '../task/default_actions.ts';
import type { SignalImage } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import {
  bitOf,
  drainSignals,
  namesThread,
  queueSignal,
  signalImage,
  splitAtContinue,
  stopMask,
  withoutStops,
} from '../image/pending_signals.ts';
import { repeatUnseen, repeatWait } from './repeated_calls.ts';
import { isFault } from '../task/siginfo.ts';
import type { Injection, Stub } from '../task/stub.ts';

/** What of a body its signals need. */
export interface SignalledBody {
  readonly pid: number;
  readonly stub: Stub;
  readonly loop: Loop;
  readonly threads: readonly BodyThread[];
  /** Nothing of it runs: it is stopped, or on its way home. */
  readonly still: boolean;
  /** Has home end the call that a thread waits for. */
  interruptCall(thread: BodyThread): void;
  /** A stopped thread runs on, or is held. */
  resumeOrHold(thread: BodyThread, stop: StoppedTask): void;
}

export class BodySignals {
  /** Signals that home has passed on; home keeps those that it sent too late to be among them. */
  received = 0;
  /** How often home has said that the process runs on, or passed SIGCONT on; see GroupStop. */
  continues = 0;
  readonly #body: SignalledBody;
  /** Those that arrived while the body was still. */
  #later: SignalImage[] = [];

  constructor(body: SignalledBody) {
    this.#body = body;
  }

  /** A signal that arrived at the deputy. */
  receive(signal: SignalImage): void {
    this.received++;
    if (signal.signal === SIGCONT) this.#receiveContinue(signal);
    else this.#post(signal);
  }

  /**
   * SIGCONT makes stop signals void that came before it, wherever they wait (prepare_signal in kernel/signal.c). One that a
   * thread had taken out of the kernel's queue by then is seen to act first: home then finds that it was overtaken.
   */
  #receiveContinue(signal: SignalImage): void {
    this.#later = withoutStops(this.#later);
    for (const thread of this.#body.threads) {
      thread.signalsAfterCall = withoutStops(thread.signalsAfterCall);
    }
    this.#post(signal);
    this.#body.loop.reapTasks();
    this.continues++;
  }

  #post(signal: SignalImage): void {
    if (this.#body.still) return void this.#later.push(signal);
    const carrier = this.#carrierOf(signal);
    if (carrier?.call || carrier?.awaits) {
      carrier.signalsAfterCall.push(signal);
      return this.#body.interruptCall(carrier);
    }
    const stop = carrier?.stopNow();
    if (carrier && stop) this.queueInto(carrier, stop, [signal]);
  }

  /** A call of a thread has not ended by an answer from home: what waited for its end is queued now. */
  callEnded(thread: BodyThread): void {
    for (const signal of thread.signalsAfterCall.splice(0)) this.#post(signal);
  }

  /**
   * The thread that queues a signal: a thread can queue what it likes for itself, and the main thread for the process
   * (rt_sigqueueinfo(2)). Undefined where the signal does nothing.
   */
  #carrierOf(signal: SignalImage): BodyThread | undefined {
    const { threads, pid } = this.#body;
    const bit = bitOf(signal.signal);
    const main = threads.find((t) => t.tid === pid) ?? this.#taker(bit);
    let target = signal.tid ? threads.find((t) => t.tid === signal.tid) : undefined;
    if (!main || (signal.tid && !target)) return undefined;
    if (target && !target.lodger && !namesThread(signal) && (target.blocked & bit) !== 0n) {
      target = undefined; // it took the signal at home only because it blocks nothing there
      signal.tid = 0;
    }
    const carrier = target ?? main;
    const sets = signalSets(carrier.hostTid);
    const ignored = (sets.ignored & bit) !== 0n || (ignoredByDefault.has(signal.signal) && (sets.caught & bit) === 0n);
    return ignored && (carrier.blocked & bit) === 0n && !this.#undoesStops(signal) ? undefined : carrier;
  }

  /** SIGCONT takes stop signals out of the kernel's queues even where it is ignored. */
  #undoesStops(signal: SignalImage): boolean {
    if (signal.signal !== SIGCONT) return false;
    return this.#body.threads.some((t) => (signalSets(t.hostTid).pending & stopMask) !== 0n);
  }

  /** Who gets a signal for the process when the main thread has ended: one that does not block it. */
  #taker(bit: bigint): BodyThread | undefined {
    const own = this.#body.threads.filter((t) => !t.lodger);
    return own.find((t) => (t.blocked & bit) === 0n) ?? own[0];
  }

  /** A signal was queued here: if only threads in forwarded calls can take it, such a call must end. */
  wakeFor(signal: { signal: number; tid: number }): void {
    const thread = callToInterrupt(this.#body.threads, signal);
    if (thread) this.#body.interruptCall(thread);
  }

  /** Queues signals in a thread that is coming to a stop. */
  queueWhenStopped(thread: BodyThread, signals: readonly SignalImage[]): void {
    const stop = thread.awaitStop();
    if (stop) this.queueInto(thread, stop, signals);
  }

  /** Queues signals in a stopped thread, and lets it go on. */
  queueInto(thread: BodyThread, stop: StoppedTask, signals: readonly SignalImage[]): void {
    const { stub } = this.#body;
    if (signals.length || stop.event === 0) {
      using session = stub.borrow(stop);
      this.requeue(session, thread, stop);
      for (const signal of signals)
        queueSignal(stub, session, { pid: this.#processOf(thread), tid: thread.tid }, signal);
    }
    if (signals.length) repeatUnseen(thread, stop);
    repeatWait(thread, stop);
    this.#body.resumeOrHold(thread, stop);
    for (const signal of signals) if (!signal.tid) this.wakeFor(signal);
  }

  /** A signal-delivery stop came instead of ours: the signal is put back. */
  requeue(session: Injection, thread: BodyThread, stop: StoppedTask): void {
    if (stop.event !== 0 || isFault({ signal: stop.signal, info: stop.signalInfo() })) return;
    const pid = this.#processOf(thread);
    const image = signalImage(pid, thread.tid, { signal: stop.signal, info: stop.signalInfo() });
    queueSignal(this.#body.stub, session, { pid, tid: thread.tid }, image);
  }

  #processOf(thread: BodyThread): number {
    return thread.lodger ? thread.tid : this.#body.pid;
  }

  /** For signals that could not be queued after a call, since the body is still. */
  keep(signals: readonly SignalImage[]): void {
    this.#later.push(...signals);
  }

  /** For what was taken out of the body. */
  putBack(signals: readonly SignalImage[]): void {
    this.#later.unshift(...signals);
  }

  /** All that has arrived and is not in the body's kernel. */
  takeAll(): SignalImage[] {
    return this.#later.splice(0).concat(this.#body.threads.flatMap((t) => t.signalsAfterCall.splice(0)));
  }

  /**
   * Home says that the process runs on: `held` threads do. Stop signals that wait in the kernel here are void, for SIGCONT
   * came later. Of what arrived since then those are that came before SIGCONT; where home only says that a stop had been
   * overtaken, the next one may be here already. It is queued first, so that the handler of SIGCONT runs before anything else.
   */
  release(held: readonly { thread: BodyThread; stop: StoppedTask }[]): void {
    const { stub } = this.#body;
    const waiting = held.filter(({ stop }) => (signalSets(stop.tid).pending & stopMask) !== 0n);
    drainSignals(
      stub,
      waiting.map(({ stop }) => stop),
      ~stopMask,
    );
    const [untilContinued, newer] = splitAtContinue(this.#later.splice(0));
    const carried = [...withoutStops(untilContinued), ...newer].map((signal) => ({
      signal,
      carrier: this.#carrierOf(signal),
    }));
    for (const { thread, stop } of held) {
      const own = carried.flatMap(({ signal, carrier }) => (carrier === thread ? [signal] : []));
      const isVoid = stop.event === 0 && stopSignals.has(stop.signal);
      this.queueInto(thread, isVoid ? stopAgain(stop) : stop, own);
    }
    for (const { signal, carrier } of carried) if (!held.some(({ thread }) => thread === carrier)) this.#post(signal);
  }
}
