/**
 * The deputy: the original process at home while its body is away. Its threads sit in the deputy loop of the stub and
 * make the calls that their slots ask for; no ptrace stop is needed for a call. Signals are passed on to the body.
 * See docs/internals/slots.md and docs/internals/signals.md.
 */
import { kernel } from '../../sys/kernel.ts';
import { deliverAndStop, SIGSTOP } from '../../sys/own_stops.ts';
import { signalSets } from '../../sys/procfs.ts';
import { endedUnreported, RunningTask, StoppedTask, TaskEnded, traceEvent, type TaskStatus } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { decodeRequest } from '../../wire/call_messages.ts';
import { frameType, noSlot } from '../../wire/frames.ts';
import { sendResult } from './answers.ts';
import { SIGCONT, stopSignals } from '../task/default_actions.ts';
import type { DeputyEvents } from './deputy_events.ts';
import { DeputyRequests } from './deputy_requests.ts';
import { DeputyThread, plainRequest } from './deputy_thread.ts';
import { prepareExecution } from './deputy_execute.ts';
import { Disowned } from './disowned.ts';
import { decodeExecution } from '../image/execution.ts';
import { GroupStop } from '../task/group_stop.ts';
import type { SignalImage } from '../image/image.ts';
import { placeBulk } from './large_requests.ts';
import type { Frame, GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { PassedSignals } from './passed_signals.ts';
import { adviseAway, dieOf, setMirrored } from './deputy_calls.ts';
import { bitOf, drainSignals, signalImage, splitAtContinue, stopMask } from '../image/pending_signals.ts';
import { ERESTARTNOINTR, type Registers } from '../../sys/x64/registers.ts';
import { createThread } from '../image/restore.ts';
import { bounceMemory } from './request_buffers.ts';
import { isMarker, sendMarker, withoutMarkers } from '../image/stop_marker.ts';
import { layout, type InjectedCall, type Injection, type Stub } from '../task/stub.ts';

const SIGKILL = 9;

let deputies = 0;

export class Deputy {
  /** Tells deputies apart whose memory came to lie at the same address. */
  readonly serial = ++deputies;
  readonly pid: number;
  readonly stub: Stub;
  link: GuestLink;
  /** Mask of the signals that wait here, for the program's signalfds. */
  readonly #held: bigint;
  readonly #requests: DeputyRequests;
  readonly #loop: Loop;
  readonly #events: DeputyEvents;
  readonly #threads = new Map<number, DeputyThread>();
  readonly disowned = new Disowned();
  /** Requests made for the body since it left; 0 means that nothing has happened yet that cannot be undone. */
  served = 0;
  /** Threads that end because the body's did, and have perhaps not ended yet. */
  readonly #ending = new Map<number, DeputyThread>();
  readonly #group = new GroupStop((stopped) =>
    this.link.sendFrame(stopped ? frameType.stopped : frameType.continued, 0),
  );
  /** Set while the deputy is being taken apart: its stops belong to somebody else. */
  parked = true;

  constructor(options: { pid: number; stub: Stub; link: GuestLink; loop: Loop; held: bigint; events: DeputyEvents }) {
    this.pid = options.pid;
    this.stub = options.stub;
    this.#requests = new DeputyRequests(this, options.stub, options.loop);
    this.link = options.link;
    this.#loop = options.loop;
    this.#held = options.held;
    this.#events = options.events;
  }

  /** The process is stopped (SIGSTOP and the like). */
  get stopped(): boolean {
    return this.#group.active;
  }

  get requests(): DeputyRequests {
    return this.#requests;
  }

  get threadIds(): number[] {
    return [...this.#threads.keys()];
  }

  /** Puts a stopped thread into the deputy loop and lets it run. */
  park(task: StoppedTask, lodger = false): void {
    const slot = this.#requests.slots.take(
      new Set([...this.#threads.values(), ...this.#ending.values()].map((t) => t.slot)),
    );
    const thread = new DeputyThread(task.tid, slot, lodger);
    this.#threads.set(task.tid, thread);
    this.#enterLoop(task, thread);
    task.setSignalMask(this.#held);
    this.#loop.onTask(task.tid, (status) => this.#onTask(thread, status));
    this.#goOn(thread, task);
  }

  /** The body was told that it starts stopped. If the process was continued meanwhile, it hears of that now. */
  startedStopped(): void {
    const [thread] = this.#threads.values();
    if (!thread || this.stopped) return;
    const stop = this.#stop(thread);
    this.#passContinue(stop);
    this.#goOn(thread, stop);
    if (!this.stopped) this.#group.goOn();
  }

  #enterLoop(task: StoppedTask, thread: DeputyThread, registers: Registers = task.registers()): void {
    const { stub } = this;
    registers
      .set('rip', stub.base + stub.code.loop)
      .set('rbx', stub.base + stub.slotOffset(thread.slot))
      .set('orig_rax', -1);
    task.setRegisters(registers);
  }

  // ---- requests ----

  #threadOf(tid: number): DeputyThread {
    const thread = this.#threads.get(tid);
    if (!thread) throw new RangeError(`Cannot serve thread ${tid}: process ${this.pid} has no such thread`);
    return thread;
  }

  onRequest(frame: Frame): void {
    const wire = decodeRequest(frame.memory.view, frame.offset, frame.length);
    this.#requests.serve(this.#threadOf(wire.tid), wire, frame);
    this.served++;
  }

  touchesLive(fd: number): boolean {
    return this.#events.touchesLive(fd);
  }

  onLargeRequest(frame: Frame): void {
    const wire = decodeRequest(frame.memory.view, frame.offset, frame.length);
    this.#requests.announce(this.#threadOf(wire.tid), wire, frame.id);
  }

  onBulk(frame: Frame): void {
    placeBulk(this.stub.view, this.#threads.values(), frame);
  }

  /** Looks for finished calls. @returns whether there was one */
  poll(): boolean {
    return this.#requests.poll();
  }

  /** Sends a bare result. */
  reply(id: number, result: number): void {
    sendResult(this.link, id, result);
  }

  /** A body's thread ended: so does its deputy thread. */
  endThread(tid: number, code: number): void {
    const thread = this.#threads.get(tid);
    this.served++;
    if (!thread) return;
    this.#ending.set(tid, thread);
    this.#remove(thread);
    this.#requests.slots.post(thread.slot, nr.exit, [BigInt(code)], 0);
  }

  // ---- interruptions ----

  /** The hosting node needs the end of a call: for a signal's handler or to come home. */
  interrupt(id: number): void {
    const thread = [...this.#threads.values()].find((t) => t.request?.id === id);
    if (!thread || thread.interruptWanted) return;
    thread.interruptWanted = true;
    new RunningTask(thread.tid).interrupt();
  }

  /** @returns what to answer the thread's request with, as far as it has got */
  #withdraw(thread: DeputyThread, stop: StoppedTask): number | undefined {
    thread.interruptWanted = false;
    const registers = stop.registers();
    const result = this.#requests.withdraw(thread, registers);
    if (result !== undefined) this.#enterLoop(stop, thread, registers);
    return result;
  }

  // ---- stops ----

  #onTask(thread: DeputyThread, status: TaskStatus): void {
    if (status.kind !== 'stopped') return this.#onEnd(thread, status);
    const stop = new StoppedTask(thread.tid, status.signal, status.event);
    if (status.event === traceEvent.stop) this.#goOn(thread, stop);
    else if (status.event === traceEvent.exec) this.#onExecuted(thread, stop);
    else if (status.event !== 0) stop.resume();
    else this.#onSignal(thread, stop);
  }

  #onExecuted(thread: DeputyThread, stop: StoppedTask): void {
    // Of several threads another one may have taken them.
    if (thread.lodger || this.#own.length === 1) this.#passed.signalExecuted(thread, this.lodgers);
    if (!thread.lodger) return this.#events.executed(stop);
    this.#lodgerLeft(thread);
    this.#events.lodgerExecuted(stop);
  }

  /** A lodger has got a memory of its own, or ended: the thread that waits for it may go on. */
  #lodgerLeft(thread: DeputyThread): void {
    this.#loop.forgetTask(thread.tid);
    this.#threads.delete(thread.tid);
    this.#ending.delete(thread.tid);
    this.#requests.forget(thread);
    this.link.sendJson(frameType.lodgerLeft, { tid: thread.tid });
  }

  /** The process's own threads. */
  get #own(): DeputyThread[] {
    return [...this.#threads.values()].filter((t) => !t.lodger);
  }

  get lodgers(): number[] {
    return [...this.#threads.values()].filter((t) => t.lodger).map((t) => t.tid);
  }

  /** From an event stop a thread goes on: it runs, or stays in its process's group stop until SIGCONT. */
  #goOn(thread: DeputyThread, stop: StoppedTask): void {
    if (this.#group.ends(thread.tid) && !stop.groupStop()) {
      this.#passContinue(stop);
      if (stop.groupStop()) this.#group.renew();
    }
    const stays = stop.groupStop() !== 0;
    const wasStopped = !stays && this.#group.leave(thread.tid);
    if (stays && !thread.lodger) this.#group.enter(thread.tid);
    const result = thread.interruptWanted ? this.#withdraw(thread, stop) : undefined;
    // A signal that the call has sent to its own thread acts before it returns; our stop came first.
    if (result !== undefined && !thread.lodger) this.#passPending(stop, ~(stopMask | bitOf(SIGCONT)));
    // A stop of the program's own ends such a call (signal(7), "Interruption of system calls … by stop signals").
    if (!stays && !wasStopped) this.#requests.repeatEnded(thread, stop);
    if (stays) stop.listen();
    else stop.resume();
    if (result !== undefined) this.#requests.finish(thread, result);
  }

  /** SIGCONT goes to the body before it may run: its handler runs before anything else does. */
  #passContinue(stop: StoppedTask): void {
    this.#passPending(stop, bitOf(SIGCONT));
  }

  #passPending(stop: StoppedTask, wanted: bigint): void {
    for (const signal of drainSignals(this.stub, [stop], ~wanted | this.#held)) this.passOn(signal);
  }

  /** A signal for the program: its place of action is the body. Only stops act here. */
  #onSignal(thread: DeputyThread, stop: StoppedTask): void {
    if (isMarker(stop.signal, stop.signalInfo())) return this.#onMarker(thread, stop);
    if (stop.signal === SIGSTOP) return void stop.resume(SIGSTOP);
    if (thread.takesNow(stop.signal) || this.#group.actsHere(thread.tid, stop.signal)) return void deliverAndStop(stop);
    this.#requests.repeatEnded(thread, stop); // whether this call ends is decided where the handlers are; until then it goes on
    if (this.disowned.takes(this.stub, stop)) return this.#goOn(thread, stop);
    const image = signalImage(this.pid, thread.tid, { signal: stop.signal, info: stop.signalInfo() });
    const maybeVoid = stopSignals.has(stop.signal) && !thread.lodger;
    if (!maybeVoid || !this.#wasContinued(thread, stop)) {
      // Only a thread that runs takes a signal: that a group stop is over the others may report after this one.
      if (maybeVoid && this.stopped) this.#group.goOn();
      this.passOn(thread.lodger ? { ...image, tid: thread.tid } : image);
    }
    if (maybeVoid) this.#goOn(thread, stop);
    else stop.resume();
  }

  /**
   * A thread has taken a stop signal out of the queue: has SIGCONT come since? The order in which stops are reported does
   * not say. But SIGCONT makes each thread trap once more before it goes on (ptrace_trap_notify in kernel/signal.c).
   */
  #wasContinued(thread: DeputyThread, stop: StoppedTask): boolean {
    const before = this.#group.continues;
    this.#loop.reapTasks(); // a SIGCONT that came before the stop signal is passed on before it
    using session = this.stub.borrow(stop);
    session.run([[nr.getpid]]);
    // The trap may also be one that we asked for.
    const asked = thread.interruptWanted || thread.beingStopped;
    return session.trapped && (!asked || this.#group.continues !== before);
  }

  passOn(signal: SignalImage): void {
    this.#passed.add(signal);
    if (signal.signal === SIGCONT) this.#group.onContinue();
    if (this.parked) this.link.sendJson(frameType.signal, signal);
  }

  /** Signals beyond the first `received` that were passed on. */
  signalsAfter(received: number): SignalImage[] {
    return this.#passed.after(received);
  }

  /** Whether a body that has got the first `received` signals must not run before it hears from here. */
  hasNews(received: number): boolean {
    const [untilContinued] = splitAtContinue(this.#passed.after(received));
    return this.stopped || this.#group.undecided || untilContinued.length > 0;
  }

  /**
   * The body lives at the other end of another link now, and has got the first `received` signals.
   * @param of `begunStopped`: it does not run before it hears of what came since
   */
  moveTo(link: GuestLink, { received, begunStopped }: { received: number; begunStopped: boolean }): void {
    this.link = link;
    const missed = this.#passed.rebase(received);
    this.#group.continues = missed.filter(({ signal }) => signal === SIGCONT).length;
    // The body takes stop signals for void that it has before it goes on: those that came after SIGCONT are not.
    const [untilContinued, later] = splitAtContinue(missed);
    for (const signal of untilContinued) link.sendJson(frameType.signal, signal);
    if (this.stopped && !begunStopped) link.sendFrame(frameType.stopped, 0);
    if (begunStopped && !this.stopped && !this.#group.undecided) this.#group.goOn();
    for (const signal of later) link.sendJson(frameType.signal, signal);
  }

  readonly #passed = new PassedSignals();

  /**
   * A stop signal took its default action at the body: the deputy takes the stop, so that its parent sees it.
   * @param continues how many continuations the body had seen
   */
  takeStop(signal: number, continues: number, lodger?: number): void {
    if (!stopSignals.has(signal)) throw new RangeError(`Cannot stop the deputy by signal ${signal}`);
    if (lodger !== undefined) this.#signalLodger(lodger, signal);
    else if (this.#group.take(signal, continues) && !sendMarker(this.pid, this.#held))
      kernel.call(nr.kill, this.pid, signal);
  }

  #onMarker(thread: DeputyThread, stop: StoppedTask): void {
    this.#loop.reapTasks(); // SIGCONT, if a thread has taken it: then nothing is due any more
    const { due } = this.#group;
    const continued = this.#own.some(({ tid }) => (signalSets(tid).pending & bitOf(SIGCONT)) !== 0n);
    if (!continued && this.#group.actsHere(thread.tid, due))
      return void deliverAndStop(new StoppedTask(thread.tid, due, 0));
    this.#requests.repeatEnded(thread, stop);
    stop.resume();
  }

  #signalLodger(tid: number, signal: number): void {
    const lodger = this.#threads.get(tid);
    if (!lodger?.lodger) return;
    lodger.takes = signal;
    kernel.call(nr.kill, tid, signal);
  }

  /** A lodger's body died of a signal: so does the lodger. */
  endLodger(tid: number, signal: number): void {
    const lodger = this.#threads.get(tid);
    if (!lodger?.lodger) return;
    if (signal === SIGKILL) return void kernel.call(nr.kill, tid, SIGKILL);
    lodger.takes = signal;
    this.lend(tid, (session) => dieOf(this.stub, session, tid, signal), 0n);
  }

  #onEnd(thread: DeputyThread, status: TaskStatus): void {
    if (thread.lodger) return this.#lodgerLeft(thread);
    this.#loop.forgetTask(thread.tid);
    this.#group.forget(thread.tid);
    this.#remove(thread);
    this.#ending.delete(thread.tid);
    this.#requests.forget(thread);
    if (this.#own.length + this.#ending.size === 0) this.#events.ended(status);
  }

  /** The thread's end is certain: memory is looked at by another one from now on. */
  #remove(thread: DeputyThread): void {
    this.#threads.delete(thread.tid);
    if (this.stub.view === thread.tid) this.stub.view = this.#own[0]?.tid ?? thread.tid;
  }

  /** The body wants a thread: the deputy makes one first, and its id is the id. @returns the id, -errno, or `noSlot` */
  createThread({ tid, flags }: { tid: number; flags: number }): number {
    const EAGAIN = -11;
    if (this.#threads.size + this.#ending.size >= layout.slotCount) return noSlot;
    const created = this.lend(tid, (session) => {
      try {
        return createThread(this.stub, session, 0, flags);
      } catch {
        return undefined;
      }
    });
    if (created) this.park(created);
    return created?.tid ?? EAGAIN;
  }

  /** Lends a thread for calls of ours; afterwards it goes on with what it was doing, with another mask if one is given. */
  lend<T>(tid: number, work: (session: Injection) => T, mask?: bigint): T {
    this.served++;
    const thread = this.#threadOf(tid);
    const stop = this.#stop(thread);
    try {
      using session = this.stub.borrow(stop);
      return work(session);
    } finally {
      if (mask !== undefined) stop.setSignalMask(mask);
      this.#goOn(thread, stop);
    }
  }

  /** Makes a call of our own in a thread that has nothing else to do; by injection, for it may be stopped. */
  ownCall(thread: DeputyThread, call: InjectedCall): number {
    return this.lend(thread.tid, (session) => session.run([call])[0]);
  }

  /** A thread that has nothing else to do blocks these signals, besides those that are held. */
  block({ tid }: DeputyThread, signals: bigint): void {
    this.lend(tid, () => {}, this.#held | signals);
  }

  #has({ tid }: DeputyThread): boolean {
    return this.#threads.has(tid) || this.#ending.has(tid);
  }

  /** Stops a thread, whatever it does. @throws TaskEnded, StopTimeout */
  #stop(thread: DeputyThread): StoppedTask {
    // A signal that it has taken already is judged before our interrupt is in the way (#wasContinued).
    this.#loop.reapTasks();
    if (!this.#has(thread)) throw new TaskEnded(thread.tid, { kind: 'exited', code: 0 });
    const running = new RunningTask(thread.tid);
    thread.beingStopped = true;
    try {
      for (;;) {
        running.interrupt();
        const stop = running.waitStop();
        if (stop.event === traceEvent.stop) return stop;
        this.#onTask(thread, { kind: 'stopped', signal: stop.signal, event: stop.event });
        // A lodger that has just executed a program is its own.
        if (!this.#has(thread)) throw new TaskEnded(thread.tid, { kind: 'exited', code: 0 });
      }
    } catch (error) {
      if (error instanceof TaskEnded && this.#has(thread)) this.#onEnd(thread, error.status);
      throw error;
    } finally {
      thread.beingStopped = false;
    }
  }

  /** The body executes another program. If that fails the thread is told; if not, nothing of this deputy is left. @returns limits */
  execute(frame: Frame): [string, string][] {
    const wish = decodeExecution(frame.memory.buffer.subarray(frame.offset, frame.offset + frame.length));
    const { tid, mask, received, limits } = wish.execution;
    const thread = this.#threadOf(tid);
    if (!this.#passed.beginExecution(tid, received)) {
      this.reply(frame.id, ERESTARTNOINTR);
      return limits;
    }
    const { number, args, address, length } = this.lend(
      tid,
      (session) => prepareExecution(this.stub, session, wish),
      BigInt(`0x${mask}`),
    );
    const returned = (): void =>
      void this.lend(tid, (session) => session.run([[nr.munmap, address, length]]), this.#held);
    const memory = bounceMemory(this.stub, thread.slot);
    const request = { ...plainRequest({ id: frame.id, tid, number, args, memory }), returned };
    this.#requests.post(thread, request, args);
    return limits;
  }

  /** Its tasks are somebody else's, or no more. */
  dispose(): void {
    for (const tid of [...this.#threads.keys(), ...this.#ending.keys()]) this.#loop.forgetTask(tid);
    this.stub.release();
  }

  /** Sets the action of one signal in the deputy by its first thread's own call. */
  mirrorAction(tid: number, id: number, signal: number, action: Uint8Array): void {
    const result = this.lend(tid, (session) => setMirrored(this.stub, session, signal, action));
    this.reply(id, result);
  }

  /** Gives anonymous memory back to the home node, whatever its threads are doing. @returns bytes asked for */
  release(ranges: readonly { start: number; end: number }[]): number {
    const [tid] = this.#threads.keys();
    if (!tid) throw new Error(`Cannot release the memory of process ${this.pid}: it has ended`);
    // Served: the old memory is gone then, and nothing can go on from it.
    return this.lend(tid, (session) => adviseAway(session, ranges));
  }

  /** Stops all threads for good: the caller takes the deputy over. @returns none when the process has ended */
  takeApart(): StoppedTask[] {
    this.parked = false;
    const out: StoppedTask[] = [];
    for (const thread of [...this.#threads.values(), ...this.#ending.values()]) {
      try {
        out.push(this.#stop(thread));
        this.#loop.forgetTask(thread.tid);
      } catch (error) {
        if (!(error instanceof TaskEnded)) throw error; // it had ended away, and so does it here
        // An ended main thread stays traced, and is reaped with the last of the others.
        if (error.status === endedUnreported) this.#loop.discardTask(thread.tid);
      }
    }
    out.sort((a, b) => (a.tid === this.pid ? -1 : b.tid === this.pid ? 1 : a.tid - b.tid));
    // They come after those that are still on their way to the body.
    const { lodgers } = this;
    const own = out.filter((task) => !lodgers.includes(task.tid));
    const waiting = withoutMarkers(drainSignals(this.stub, own, this.#held), this.#group.due);
    for (const signal of waiting) this.#passed.add(signal);
    return own.length ? out : [];
  }
}
