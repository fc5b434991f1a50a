/**
 * A body at work on the hosting node: its trapped calls go home as requests, replies and signals come back.
 * The rules for signals and stops are in docs/internals/signals.md.
 */
import { kernel } from '../sys/kernel.ts';
import { MappingQuery } from '../sys/mapping_query.ts';
import { planCall } from '../sys/marshal.ts';
import { signalSets } from '../sys/procfs.ts';
import { SIGTRAP, StoppedTask, type TaskStatus } from '../sys/ptrace.ts';
import { nameOf } from '../sys/syscalls.ts';
import { nr } from '../sys/x64/numbers.ts';
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from '../sys/x64/registers.ts';
import { frameType } from '../wire/frames.ts';
import {
  isLarge,
  plannedCall,
  receiveBulk,
  receiveResults,
  bodyMemory,
  sendCall,
  sendLargeCall,
  withoutBuffer,
  withoutUnwritable,
  writeInto,
  type BodyCall,
  type Sent,
} from './body_call.ts';
import type { Birth, BodyEvents, BodyHost, BodyOptions, FileMapping, SharedMemory } from './body_host.ts';
import { freezeBody, type FrozenThread } from './body_freeze.ts';
import { BodyThread, callToInterrupt } from './body_thread.ts';
import { CallStatistics } from './call_statistics.ts';
import { coreSignals, ignoredByDefault, stopSignals } from './default_actions.ts';
import type { SignalImage } from './image.ts';
import { frameJson, type Frame, type GuestLink } from './link.ts';
import type { Family } from './family.ts';
import type { TrappedCall } from './listener.ts';
import type { Loop } from './loop.ts';
import { namesThread, queueSignal, signalImage } from './pending_signals.ts';
import { repeatUnseen, repeatWait } from './repeated_calls.ts';
import { BodyTimers } from './body_timers.ts';
import { isBreakpoint, isFault } from './siginfo.ts';
import { looksAtItself, specialCall } from './special_calls.ts';
import type { Injection, Stub } from './stub.ts';

const SIGKILL = 9;
/** read, pread64, readv, sendfile, splice, preadv, copy_file_range, preadv2: what is read must be what was written to memory. */
const readsFiles: ReadonlySet<number> = new Set([0, 17, 19, 40, 275, 295, 326, 327]);

export class Body implements BodyHost {
  readonly pid: number;
  readonly stub: Stub;
  readonly link: GuestLink;
  readonly loop: Loop;
  readonly shared: SharedMemory;
  readonly threads: BodyThread[] = [];
  readonly calls = new CallStatistics();
  forwarded = 0;
  /** Signals that home has passed on; home keeps those that it sent too late to be among them. */
  signalsReceived = 0;
  /** CPU time that process and threads had used before they came here, nanoseconds. */
  readonly cpuBase: number;
  readonly threadCpuBase: ReadonlyMap<number, number>;
  readonly timers: BodyTimers;
  /** The program's limits; what the home node says, except where they hold here. */
  readonly limits: [string, string][];
  readonly heldSignals: bigint;
  readonly homeIsAhead: bigint;
  readonly #events: BodyEvents;
  readonly #mappings: MappingQuery;
  readonly #family: Family;
  #nextId = 1;
  #returning = false;
  #halted = false;
  /** Signals that arrived while the body was halted or returning. */
  readonly #signalsLater: SignalImage[] = [];

  constructor(options: BodyOptions) {
    this.pid = options.pid;
    this.stub = options.stub;
    this.link = options.link;
    this.loop = options.loop;
    this.shared = options.shared;
    this.#family = options.family;
    this.homeIsAhead = options.homeIsAhead;
    this.#events = options.events;
    this.#mappings = new MappingQuery(this.hostPid);
    this.limits = options.image.limits;
    this.heldSignals = BigInt('0x' + options.image.heldSignals);
    this.timers = new BodyTimers(options.image.timers);
    this.cpuBase = options.image.cpuTime;
    this.threadCpuBase = new Map(options.image.threads.map((t) => [t.tid, t.cpuTime]));
  }

  /** The process id as the hosting node sees it. */
  get hostPid(): number {
    return this.stub.pid;
  }

  /** True while the body is being brought home: no new call is taken. */
  get returning(): boolean {
    return this.#returning;
  }

  addThread(tid: number, hostTid: number, lodger = false): BodyThread {
    const thread = new BodyThread(tid, hostTid, lodger);
    this.threads.push(thread);
    this.#family.take(hostTid, (trapped) => this.#onTrapped(thread, trapped));
    this.loop.onTask(hostTid, (status) => this.#onTask(thread, status));
    return thread;
  }

  /** Lets all threads run. */
  start(stopped: ReadonlyMap<number, StoppedTask>): void {
    for (const thread of this.threads) stopped.get(thread.hostTid)?.resume();
    if (this.timers.intervals || this.timers.ids.size) this.timers.watch(this);
  }

  destroy(): void {
    for (const { hostTid, lodger } of this.threads) {
      this.#family.forget(hostTid);
      this.loop.discardTask(hostTid);
      if (lodger) kernel.call(nr.kill, hostTid, SIGKILL);
    }
    this.timers.stop();
    this.stub.release();
    this.#mappings[Symbol.dispose]();
  }

  // ---- calls ----

  #onTrapped(thread: BodyThread, trapped: TrappedCall): void {
    if (this.#returning) {
      // It is made at home: the thread is being stopped, and the answer lets it come to that stop.
      thread.running.interrupt();
      return this.#family.listener.answer(trapped.id, ERESTARTSYS);
    }
    const { nr: number, args, wrongArchitecture } = trapped;
    const started = performance.now();
    const call: BodyCall = {
      notification: trapped.id,
      id: this.#nextId++,
      nr: number,
      args,
      plan: [],
      wire: [],
      large: false,
      started,
      began: thread.begin(number, args, started),
      trapped: { nr: number, args },
    };
    thread.call = call;
    thread.answered = false;
    if (number !== nr.restart_syscall) thread.restartOf = 0;
    if (thread.hasSignalFirst()) return this.finish(thread, call, ERESTARTNOINTR);
    if (wrongArchitecture) return this.comeHome(thread, 'a system call of another architecture');
    this.#plan(thread, call);
  }

  #plan(thread: BodyThread, call: BodyCall): void {
    const plan = planCall(call.nr, call.args, bodyMemory(this.hostPid));
    this.forwarded++;
    this.calls.count(call.nr);
    switch (plan.kind) {
      case 'come-home':
        return this.comeHome(thread, plan.reason);
      case 'special':
        return specialCall(this, thread, call, plan.name);
      case 'forward':
        if (plan.buffers.some((b) => b.direction === 'string' && looksAtItself(this, b.address, b.length)))
          return this.comeHome(thread, `it looks at itself in /proc (${nameOf(call.nr)})`);
        return this.forward(thread, plannedCall(call, plan));
    }
  }

  /** Sends a call home; `call.onResult` or the program gets the result. */
  forward(thread: BodyThread, call: BodyCall): void {
    this.shared.writeBack(readsFiles.has(call.nr));
    const sent = withoutUnwritable(call, this.#mappings);
    sent.large = isLarge(sent);
    thread.call = sent;
    if (!sent.large) return this.#afterSending(thread, sent, sendCall(this.link, this.hostPid, thread.tid, sent));
    this.loop.start(
      async () => this.#afterSending(thread, sent, await sendLargeCall(this.link, this.hostPid, thread.tid, sent)),
      (error) => this.link.close(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #afterSending(thread: BodyThread, call: BodyCall, sent: Sent): void {
    if (sent === 'torn') this.comeHome(thread, `${nameOf(call.nr)} with memory that is there only in part`);
    else if (sent !== 'sent') this.forward(thread, withoutBuffer(call, sent.bad));
    // Whoever wanted the end of the call while it was being sent was not heard at home.
    else if (call.large && (this.#returning || thread.signalsAfterCall.length > 0)) this.interruptCall(thread);
  }

  /** Sends a request of another kind than a plain call; the reply carries its result. */
  request(thread: BodyThread, type: number, value: unknown, onResult: (result: number) => void): void {
    thread.call!.onResult = onResult;
    this.link.sendJson(type, value, thread.call!.id);
  }

  ask<T>(thread: BodyThread, type: number, value: unknown, onAnswer: (answer: T) => void): void {
    thread.call!.onAnswer = (frame) => onAnswer(frameJson<T>(frame));
    this.link.sendJson(type, value, thread.call!.id);
  }

  onAnswer(frame: Frame): void {
    this.#threadOf(frame.id)?.call?.onAnswer?.(frame);
  }

  born(birth: Birth): void {
    this.#events.born(birth);
  }

  onReply(frame: Frame): void {
    const thread = this.#threadOf(frame.id);
    if (!thread) return;
    const call = thread.call!;
    const result = receiveResults(this.hostPid, call, frame);
    this.calls.took(call.nr, performance.now() - call.started);
    if (call.onResult && !(result <= ERESTARTSYS && result >= -516)) call.onResult(result);
    else this.finish(thread, call, result);
  }

  onBulk(frame: Frame): void {
    const call = this.#threadOf(frame.id)?.call;
    if (call) receiveBulk(this.hostPid, call, frame);
  }

  #threadOf(id: number): BodyThread | undefined {
    return this.threads.find((t) => t.call?.id === id);
  }

  /** Gives the program the result of a call (or lets the kernel restart it). */
  finish(thread: BodyThread, call: BodyCall, result: number): void {
    thread.call = undefined;
    const interrupted = result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
    thread.answered = interrupted;
    if (interrupted) thread.noteWait(call);
    // How long a call went on waiting is known here: it is made again. From before the move only home's kernel knows it.
    const again = result === ERESTART_RESTARTBLOCK && call.trapped.nr !== nr.restart_syscall;
    const signals = thread.signalsAfterCall.splice(0);
    const stop = interrupted || signals.length > 0 || this.#returning || this.#halted;
    if (stop) thread.running.interrupt();
    this.respond(call, again ? ERESTARTNOHAND : result);
    if (stop && !this.#returning && !this.#halted) this.#queueAndResume(thread, signals);
    else if (signals.length) this.#signalsLater.push(...signals);
  }

  takeSignals(): SignalImage[] {
    return this.#signalsLater.splice(0).concat(this.threads.flatMap((t) => t.signalsAfterCall.splice(0)));
  }

  /** Answers the kernel's notification. */
  respond(call: BodyCall, result: number): void {
    this.#family.listener.answer(call.notification, result);
  }

  /** Lets the kernel make the trapped call here after all. */
  letThrough(thread: BodyThread, call: BodyCall): void {
    thread.call = undefined;
    const stop = this.#returning || this.#halted;
    if (stop) thread.running.interrupt();
    this.#family.listener.letThrough(call.notification);
  }

  /** Lets the kernel make a call that sends a signal to the process itself, and sees to it that it acts. */
  letSignal(thread: BodyThread, call: BodyCall, signal: { signal: number; tid: number }): void {
    if (this.threads.length === 1) return this.letThrough(thread, call);
    // The stop comes after the call: then the signal is queued, and a thread that waits at home can be told.
    thread.call = undefined;
    thread.running.interrupt();
    this.#family.listener.letThrough(call.notification);
    const stop = thread.awaitStop();
    if (stop) this.stopped(thread, stop);
    this.#interruptFor(signal);
    for (const other of this.threads) if (!other.call) other.mayHaveSignal = true;
  }

  /** Ends a blocked call by injected calls in its thread: `work` gives the result. */
  takeOver(thread: BodyThread, call: BodyCall, work: (session: Injection) => number): void {
    thread.call = undefined;
    thread.running.interrupt();
    this.respond(call, ERESTARTSYS);
    const stop = thread.running.waitStop();
    let result: number;
    {
      using session = this.stub.borrow(stop);
      this.#requeue(session, thread, stop);
      result = work(session);
    }
    stop.setRegisters(stop.registers().finishCall(result));
    this.#resumeOrHold(thread, stop);
  }

  comeHome(thread: BodyThread, reason: string): void {
    // The call is made again, natively, at home: its thread goes as if it had just been interrupted.
    const { call } = thread;
    thread.call = undefined;
    thread.running.interrupt();
    this.#returning = true;
    this.respond(call!, ERESTARTSYS);
    this.#events.comeHome(reason);
  }

  mapFile(thread: BodyThread, call: BodyCall, mapping: FileMapping): void {
    this.#events.mapFile(thread, call, mapping);
  }

  /** Writes into the body's memory; false where it may not. */
  write(address: number, bytes: Uint8Array): boolean {
    return writeInto(this.hostPid, address, bytes);
  }

  /** Lets a thread run that was made away. */
  resumeNew(task: StoppedTask): void {
    const thread = this.threads.find((t) => t.hostTid === task.tid);
    if (thread) this.#resumeOrHold(thread, task);
  }

  stopped(thread: BodyThread, stop: StoppedTask): void {
    this.#onTask(thread, { kind: 'stopped', signal: stop.signal, event: stop.event });
  }

  // ---- signals ----

  /** A signal that arrived at the deputy. */
  postSignal(signal: SignalImage): void {
    this.signalsReceived++;
    this.#post(signal);
  }

  #post(signal: SignalImage): void {
    if (this.#returning || this.#halted) return void this.#signalsLater.push(signal);
    const bit = 1n << BigInt(signal.signal - 1);
    const main = this.threads.find((t) => t.tid === this.pid) ?? this.threads[0];
    let target = signal.tid ? this.threads.find((t) => t.tid === signal.tid) : undefined;
    if (!main || (signal.tid && !target)) return;
    if (target && !target.lodger && !namesThread(signal) && (signalSets(target.hostTid).blocked & bit) !== 0n) {
      target = undefined; // it took the signal at home only because it blocks nothing there
      signal.tid = 0;
    }
    // A thread can queue what it likes for itself, and the main thread for the process (rt_sigqueueinfo(2)).
    const carrier = target ?? main;
    const sets = signalSets(carrier.hostTid);
    const ignored = (sets.ignored & bit) !== 0n || (ignoredByDefault.has(signal.signal) && (sets.caught & bit) === 0n);
    if (ignored && (sets.blocked & bit) === 0n) return;
    if (carrier.call || carrier.awaits) {
      carrier.signalsAfterCall.push(signal);
      return this.interruptCall(carrier);
    }
    const stop = carrier.stopNow();
    if (stop) this.#queueInto(carrier, stop, [signal]);
  }

  /** Home is to end the call of a thread. */
  interruptCall(thread: BodyThread): void {
    if (thread.call) this.link.sendFrame(frameType.interrupt, 0, thread.call.id);
  }

  #interruptFor(signal: { signal: number; tid: number }): void {
    const thread = callToInterrupt(this.threads, signal);
    if (thread) this.interruptCall(thread);
  }

  #queueAndResume(thread: BodyThread, signals: readonly SignalImage[]): void {
    const stop = thread.awaitStop(); // if it ended, its siblings report that to the loop
    if (stop) this.#queueInto(thread, stop, signals);
  }

  #queueInto(thread: BodyThread, stop: StoppedTask, signals: readonly SignalImage[]): void {
    if (signals.length || stop.event === 0) {
      using session = this.stub.borrow(stop);
      this.#requeue(session, thread, stop);
      for (const signal of signals) queueSignal(this.stub, session, this.#processOf(thread), signal);
    }
    if (signals.length) repeatUnseen(stop, thread.answered);
    repeatWait(thread, stop);
    this.#resumeOrHold(thread, stop);
    for (const signal of signals) if (!signal.tid) this.#interruptFor(signal);
  }

  /** A signal-delivery stop came instead of ours: the signal is put back. */
  #requeue(session: Injection, thread: BodyThread, stop: StoppedTask): void {
    if (stop.event !== 0 || isFault({ signal: stop.signal, info: stop.signalInfo() })) return;
    const pid = this.#processOf(thread);
    const image = signalImage(pid, thread.tid, { signal: stop.signal, info: stop.signalInfo() });
    queueSignal(this.stub, session, pid, image);
  }

  #processOf(thread: BodyThread): number {
    return thread.lodger ? thread.tid : this.pid;
  }

  #resumeOrHold(thread: BodyThread, stop: StoppedTask): void {
    if (!this.#returning && !this.#halted && !thread.awaits) return void stop.resume();
    thread.held = stop;
    thread.deliver({ kind: 'stopped', signal: stop.signal, event: stop.event }); // somebody may wait for it
  }

  /** The deputy was stopped: so is the body. */
  halt(): void {
    this.#halted = true;
    for (const thread of this.threads) {
      if (!thread.call && !thread.held && !thread.lodger) thread.held = thread.stopNow();
    }
  }

  continue(): void {
    if (!this.#halted) return;
    this.#halted = false;
    this.#release();
  }

  /** It stays here after all: what was frozen goes on, and gets back the signals that were taken out of it. */
  goOn(frozen: readonly FrozenThread[], signals: readonly SignalImage[]): void {
    this.#returning = false;
    this.#signalsLater.unshift(...signals);
    for (const { thread, task } of frozen) thread.held = task;
    if (!this.#halted) this.#release();
  }

  #release(): void {
    for (const thread of this.threads) this.#letGo(thread);
    for (const signal of this.#signalsLater.splice(0)) this.#post(signal);
  }

  #letGo(thread: BodyThread): void {
    const stop = thread.held;
    if (!stop || thread.awaits) return;
    thread.held = undefined;
    this.#queueInto(thread, stop, thread.signalsAfterCall.splice(0));
  }

  /** At home a lodger has executed a program, or ended: its body is of no use any more. */
  lodgerLeft(tid: number): void {
    const thread = this.threads.find((t) => t.tid === tid && t.lodger);
    if (thread) kernel.call(nr.kill, thread.hostTid, SIGKILL);
  }

  // ---- stops and ends ----

  #onTask(thread: BodyThread, status: TaskStatus): void {
    if (status.kind !== 'stopped') return this.#onEnd(thread, status);
    if (thread.deliver(status)) return;
    const stop = new StoppedTask(thread.hostTid, status.signal, status.event);
    if (this.#returning || this.#halted) {
      thread.held = stop;
      return;
    }
    if (status.event !== 0) return void stop.resume();
    this.#onSignal(thread, stop);
  }

  #onEnd(thread: BodyThread, status: TaskStatus): void {
    thread.deliver(status);
    this.loop.forgetTask(thread.hostTid);
    this.#family.forget(thread.hostTid);
    this.threads.splice(this.threads.indexOf(thread), 1);
    if (thread.hostTid === this.hostPid) this.#events.ended(status);
    if (!thread.lodger) return;
    // If home has ended it, home knows no such lodger any more.
    if (status.kind === 'killed') this.link.sendJson(frameType.lodgerEnded, { tid: thread.tid, status });
    for (const waiting of this.threads.filter((t) => t.awaits === thread)) {
      waiting.awaits = undefined;
      this.#letGo(waiting);
    }
  }

  /** A signal is about to act on a thread. */
  #onSignal(thread: BodyThread, stop: StoppedTask): void {
    const sets = signalSets(thread.hostTid);
    const bit = 1n << BigInt(stop.signal - 1);
    const ignored = stop.signal === SIGTRAP && this.stub.ignoresTrap(thread.hostTid);
    const byDefault = ignored ? isBreakpoint(stop.signalInfo()) : ((sets.caught | sets.ignored) & bit) === 0n;
    if (byDefault && stopSignals.has(stop.signal)) {
      const lodger = thread.lodger ? thread.tid : undefined;
      this.link.sendJson(frameType.signalTaken, { signal: stop.signal, lodger });
      stop.resume();
    } else if (byDefault && coreSignals.has(stop.signal)) {
      // It dies at home: with its own memory, natively, core dump and all.
      thread.held = stop;
      this.#returning = true;
      this.#events.comeHome(`signal ${stop.signal} ends it`);
    } else {
      repeatUnseen(stop, thread.answered);
      thread.answered = false;
      if ((sets.caught & bit) !== 0n) thread.wait = undefined; // a wait ends when a handler runs
      stop.resume(ignored ? 0 : stop.signal);
    }
  }

  /** Stops everything for the way home. @returns the stopped threads */
  freeze(milliseconds: number): Promise<FrozenThread[]> {
    this.#returning = true;
    return freezeBody(this, milliseconds);
  }
}
