/**
 * A body at work on the hosting node: its trapped calls go home as requests, replies and signals come back.
 * The rules for signals and stops are in docs/internals/signals.md.
 */
import { kernel } from '../../sys/kernel.ts';
import { MappingQuery } from '../../sys/mapping_query.ts';
import { planCall } from '../../sys/marshal.ts';
import { stopAgain } from '../../sys/own_stops.ts';
import { signalSets } from '../../sys/procfs.ts';
import { SIGTRAP, StoppedTask, type TaskStatus } from '../../sys/ptrace.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from '../../sys/x64/registers.ts';
import { frameType } from '../../wire/frames.ts';
import {
  isLarge,
  plannedCall,
  receiveBulk,
  receiveResults,
  bodyMemory,
  sendCall,
  sendLargeCall,
  trappedCall,
  withoutBuffer,
  withoutUnwritable,
  writeInto,
  type BodyCall,
  type Sent,
} from './body_call.ts';
import type { Birth, BodyEvents, BodyHost, BodyOptions, FileMapping, SharedMemory } from './body_host.ts';
import { freezeBody, type FrozenThread } from './body_freeze.ts';
import { BodySignals, type SignalledBody } from './body_signals.ts';
import { BodyThread } from './body_thread.ts';
import { CallStatistics } from '../image/call_statistics.ts';
import { goOnHere } from './resumed_waits.ts';
import { actsByDefault, coreSignals, stopSignals } from '../task/default_actions.ts';
import { baseOf, type CpuBase, type SignalImage } from '../image/image.ts';
import { frameJson, type Frame, type GuestLink } from '../link/link.ts';
import type { Family } from './family.ts';
import type { TrappedCall } from './listener.ts';
import type { Loop } from '../link/loop.ts';
import { bitOf } from '../image/pending_signals.ts';
import { ReadAhead } from './read_ahead.ts';
import { repeatUnseen, repeatWait } from './repeated_calls.ts';
import { beforeRunning, leaveWait, runHandler } from './masked_waits.ts';
import { BodyTimers } from './body_timers.ts';
import { isBreakpoint } from '../task/siginfo.ts';
import { looksAtItself, specialCall } from './special_calls.ts';
import type { Injection, Stub } from '../task/stub.ts';

const SIGKILL = 9;
/** read, pread64, readv, sendfile, splice, preadv, copy_file_range, preadv2: what is read must be what was written to memory. */
const readsFiles: ReadonlySet<number> = new Set([0, 17, 19, 40, 275, 295, 326, 327]);

export class Body implements BodyHost, SignalledBody {
  readonly pid: number;
  readonly stub: Stub;
  readonly link: GuestLink;
  readonly loop: Loop;
  readonly shared: SharedMemory;
  readonly threads: BodyThread[] = [];
  readonly calls = new CallStatistics();
  forwarded = 0;
  readonly signals: BodySignals;
  readonly ahead: ReadAhead;
  /** CPU time that process and threads had used before they came here, nanoseconds. */
  readonly cpuBase: CpuBase;
  readonly threadCpuBase: ReadonlyMap<number, CpuBase>;
  readonly timers: BodyTimers;
  /** The program's limits; what the home node says, except where they hold here. */
  readonly limits: [string, string][];
  readonly heldSignals: bigint;
  readonly rings: boolean;
  readonly homeIsAhead: bigint;
  readonly #events: BodyEvents;
  readonly #mappings: MappingQuery;
  readonly #family: Family;
  #nextId = 1;
  #started = false;
  #returning = false;
  /** The process is stopped at home, or has just taken a stop signal and waits for home's word. */
  #halted = false;
  /** Threads that are on their way through exit(2). */
  readonly ending = new Set<BodyThread>();

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
    this.rings = options.image.rings;
    this.timers = new BodyTimers(options.image.timers);
    this.cpuBase = baseOf(options.image);
    this.threadCpuBase = new Map(options.image.threads.map((t) => [t.tid, baseOf(t)]));
    this.signals = new BodySignals(this);
    this.ahead = new ReadAhead(this);
  }

  /** A thread by which the hosting node shows the body's memory: the main one, while that lives. */
  get hostPid(): number {
    return this.stub.view;
  }

  /** True while the body is being brought home: no new call is taken. */
  get returning(): boolean {
    return this.#returning;
  }

  /** Nothing of it runs: it is stopped, or on its way home. */
  get still(): boolean {
    return this.#returning || this.#halted;
  }

  /** A thread shall not run now. */
  #holds(thread: BodyThread): boolean {
    return this.#returning || thread.awaits !== undefined || (this.#halted && !thread.lodger);
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
    this.#started = true;
    for (const thread of this.threads) {
      const stop = stopped.get(thread.hostTid);
      if (stop) this.resumeOrHold(thread, stop);
    }
    if (this.timers.intervals || this.timers.ids.size) this.timers.watch(this);
  }

  destroy(): void {
    for (const { hostTid, lodger, terminalMask } of [...this.threads, ...this.ending]) {
      terminalMask[Symbol.dispose]();
      this.#family.forget(hostTid);
      this.loop.discardTask(hostTid);
      if (lodger) kernel.call(nr.kill, hostTid, SIGKILL);
    }
    this.timers.stop();
    this.ahead.stop();
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
    const call = trappedCall(this.#nextId++, trapped, (now) => thread.begin(number, args, now));
    call.args = thread.beginRest(number, args);
    thread.call = call;
    call.cutBy = thread.takeCode(number, args);
    if (number !== nr.restart_syscall) thread.restartOf = 0;
    if (thread.letsIn) return leaveWait(this, thread, call);
    if (thread.hasSignalFirst()) return this.finish(thread, call, ERESTARTNOINTR);
    if (wrongArchitecture) return this.comeHome(thread, 'a system call of another architecture');
    this.#plan(thread, call);
  }

  #plan(thread: BodyThread, call: BodyCall): void {
    if (this.ahead.serve(thread, call)) return;
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
    sent.blocked = thread.terminalMask.blockedIn(call.nr);
    thread.call = sent;
    this.loop.expect();
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
    if (call.onResult && (call.always || result > ERESTARTSYS || result < -516)) call.onResult(result);
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
  finish(thread: BodyThread, call: BodyCall, answer: number): void {
    // Home had not begun it, but the program had: it was waiting in it when it was cut short.
    const result = thread.wholeResult(answer === ERESTARTNOINTR ? (call.cutBy ?? answer) : answer);
    thread.call = undefined;
    const interrupted = result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
    if (interrupted) thread.noteWait(call);
    // How long a call went on waiting is known here: it is made again. From before the move only home's kernel knows it.
    const again = result === ERESTART_RESTARTBLOCK && call.trapped.nr !== nr.restart_syscall;
    const signals = thread.signalsAfterCall.splice(0);
    const holds = this.#holds(thread);
    const stop = interrupted || signals.length > 0 || holds || thread.ownMask !== undefined;
    if (stop) thread.running.interrupt();
    const given = again ? ERESTARTNOHAND : result;
    thread.answered(call, given);
    this.respond(call, given);
    if (stop && !holds) this.signals.queueWhenStopped(thread, signals);
    else this.signals.keep(signals);
  }

  /** Answers the kernel's notification. */
  respond(call: BodyCall, result: number): void {
    this.#family.listener.answer(call.notification, result);
  }

  /** Lets the kernel make the trapped call here after all. */
  letThrough(thread: BodyThread, call: BodyCall): void {
    thread.call = undefined;
    if (this.#holds(thread)) thread.running.interrupt();
    this.#family.listener.letThrough(call.notification);
    this.signals.callEnded(thread);
  }

  /** Lets a thread end: the kernel here clears its id word and wakes who joins it. */
  letEnd(thread: BodyThread, call: BodyCall): void {
    thread.call = undefined;
    this.ending.add(thread);
    this.#remove(thread);
    this.#family.listener.letThrough(call.notification);
    this.signals.callEnded(thread);
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
    this.signals.wakeFor(signal);
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
      this.signals.requeue(session, thread, stop);
      result = work(session);
    }
    stop.setRegisters(stop.registers().finishCall(result));
    this.resumeOrHold(thread, stop);
    this.signals.callEnded(thread);
  }

  comeHome(thread: BodyThread, reason: string): void {
    // The call is made again, natively, at home: its thread goes as if it had just been interrupted.
    const { call } = thread;
    thread.call = undefined;
    thread.running.interrupt();
    this.#returning = true;
    if (call!.cutBy !== undefined) thread.answered(call!, call!.cutBy);
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
    if (thread) this.resumeOrHold(thread, task);
  }

  stopped(thread: BodyThread, stop: StoppedTask): void {
    this.onEvent(thread, { kind: 'stopped', signal: stop.signal, event: stop.event });
  }

  /** A thread has stopped or ended. */
  onEvent(thread: BodyThread, status: TaskStatus): void {
    this.#onTask(thread, status);
  }

  // ---- stops and continuations ----

  /** Home is to end the call of a thread. */
  interruptCall(thread: BodyThread): void {
    if (thread.call) this.link.sendFrame(frameType.interrupt, 0, thread.call.id);
  }

  resumeOrHold(thread: BodyThread, stop: StoppedTask): void {
    if (!this.#holds(thread)) return void beforeRunning(thread, stop).resume();
    thread.held = stop;
    thread.deliver({ kind: 'stopped', signal: stop.signal, event: stop.event }); // somebody may wait for it
  }

  /** The process is stopped: threads that compute stop, those in forwarded calls when the reply comes. */
  halt(): void {
    this.#halted = true;
    if (!this.#started || this.#returning) return; // on the way home all are being stopped anyway
    for (const thread of this.threads)
      if (!thread.call && !thread.held && !thread.lodger) thread.held = thread.stopNow();
  }

  /** Home says that the process runs. */
  continue(): void {
    this.signals.continues++;
    if (!this.#halted) return;
    this.#halted = false;
    this.#release();
  }

  /** It stays here after all: what was frozen goes on, and gets back the signals that were taken out of it. */
  goOn(frozen: readonly FrozenThread[], signals: readonly SignalImage[]): void {
    this.#returning = false;
    this.signals.putBack(signals);
    for (const { thread, task, ...known } of frozen) {
      goOnHere(task, known);
      thread.held = task;
    }
    if (!this.#halted) this.#release();
  }

  #release(): void {
    const free = this.threads.filter((thread) => !this.#holds(thread));
    this.signals.release(free.flatMap((thread) => thread.release() ?? []));
  }

  #letGo(thread: BodyThread): void {
    if (!thread.held) return;
    const signals = thread.signalsAfterCall.splice(0);
    if (this.#holds(thread)) return this.signals.keep(signals);
    const stop = thread.held;
    thread.held = undefined;
    this.signals.queueInto(thread, stop, signals);
  }

  /** At home a lodger has executed a program, or ended: its body is of no use any more. */
  lodgerLeft(tid: number): void {
    const thread = this.threads.find((t) => t.tid === tid && t.lodger);
    if (thread) kernel.call(nr.kill, thread.hostTid, SIGKILL);
  }

  #onTask(thread: BodyThread, status: TaskStatus): void {
    if (status.kind !== 'stopped') return this.#onEnd(thread, status);
    if (thread.deliver(status)) return;
    const stop = new StoppedTask(thread.hostTid, status.signal, status.event);
    if (this.#holds(thread)) {
      thread.held = stop;
      return;
    }
    if (status.event === 0) return this.#onSignal(thread, stop);
    repeatWait(thread, stop);
    this.resumeOrHold(thread, stop);
  }

  #onEnd(thread: BodyThread, status: TaskStatus): void {
    thread.deliver(status);
    this.loop.forgetTask(thread.hostTid);
    this.#family.forget(thread.hostTid);
    this.#remove(thread);
    this.ending.delete(thread);
    if (thread.lodger) return this.#onLodgerEnd(thread, status);
    if (this.#own.length + this.ending.size === 0) this.#events.ended(status);
  }

  #onLodgerEnd(lodger: BodyThread, status: TaskStatus): void {
    // If home has ended it, home knows no such lodger any more.
    if (status.kind === 'killed') this.link.sendJson(frameType.lodgerEnded, { tid: lodger.tid, status });
    for (const waiting of this.threads.filter((t) => t.awaits === lodger)) {
      waiting.awaits = undefined;
      this.#letGo(waiting);
    }
  }

  /** The process's own threads. */
  get #own(): BodyThread[] {
    return this.threads.filter((thread) => !thread.lodger);
  }

  /** The thread's end is certain: memory is looked at by another one from now on. */
  #remove(thread: BodyThread): void {
    thread.terminalMask[Symbol.dispose]();
    const index = this.threads.indexOf(thread);
    if (index >= 0) this.threads.splice(index, 1);
    if (this.stub.view === thread.hostTid) this.stub.view = this.#own[0]?.hostTid ?? thread.hostTid;
  }

  /** A signal is about to act on a thread. */
  #onSignal(thread: BodyThread, stop: StoppedTask): void {
    const ignored = stop.signal === SIGTRAP && this.stub.ignoresTrap(thread.hostTid);
    const byDefault = ignored ? isBreakpoint(stop.signalInfo()) : actsByDefault(thread.hostTid, stop.signal);
    if (byDefault && stopSignals.has(stop.signal)) {
      const { lodger, tid } = thread;
      const { continues } = this.signals;
      this.link.sendJson(frameType.signalTaken, { signal: stop.signal, continues, lodger: lodger ? tid : undefined });
      if (lodger) return void stop.resume();
      // All threads stop, and home says whether the process does.
      thread.held = stopAgain(stop);
      this.halt();
    } else if (byDefault && coreSignals.has(stop.signal)) {
      // It dies at home: with its own memory, natively, core dump and all.
      thread.held = stop;
      this.#returning = true;
      this.#events.comeHome(`signal ${stop.signal} ends it`);
    } else {
      repeatUnseen(thread, stop);
      thread.noteStop(stop.registers());
      const caught = (signalSets(thread.hostTid).caught & bitOf(stop.signal)) !== 0n;
      if (caught) thread.handlerRuns(stop);
      const begun = caught && thread.letsIn ? runHandler(thread, stop) : undefined;
      if (begun) this.resumeOrHold(thread, begun);
      else stop.resume(ignored ? 0 : stop.signal);
    }
  }

  /** Stops everything for the way home. @returns the stopped threads */
  freeze(milliseconds: number): Promise<FrozenThread[]> {
    this.#returning = true;
    this.ahead.end();
    return freezeBody(this, milliseconds);
  }
}
