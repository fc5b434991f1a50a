/**
 * The deputy: the original process at home while its body is away. Its threads sit in the deputy loop of the stub and
 * make the calls that their slots ask for; no ptrace stop is needed for a call. Signals are passed on to the body.
 * See docs/internals/slots.md and docs/internals/signals.md.
 */
import { kernel } from '../sys/kernel.ts';
import { reap, RunningTask, StoppedTask, TaskEnded, traceEvent, type TaskStatus } from '../sys/ptrace.ts';
import { nr } from '../sys/x64/numbers.ts';
import { argumentRegisters, ERESTARTNOINTR, type Registers } from '../sys/x64/registers.ts';
import { slotState } from '../sys/x64/stub_code.ts';
import { decodeRequest, placesOf } from '../wire/call_messages.ts';
import { frameType, noSlot } from '../wire/frames.ts';
import { sendAnswer, sendLargeData, sendResult } from './answers.ts';
import { stopSignals } from './default_actions.ts';
import { DeputySlots } from './deputy_slots.ts';
import { DeputyThread, plainRequest, type PendingRequest } from './deputy_thread.ts';
import { prepareExecution } from './deputy_execute.ts';
import { Disowned } from './disowned.ts';
import { decodeExecution } from './execution.ts';
import type { SignalImage } from './image.ts';
import { endsWithEintr, giveCode, isCutShort } from './interrupted_calls.ts';
import { announceLarge, placeBulk, unmapLarge } from './large_requests.ts';
import type { Frame, GuestLink } from './link.ts';
import type { Loop } from './loop.ts';
import { PassedSignals } from './passed_signals.ts';
import { drainSignals, signalImage } from './pending_signals.ts';
import { adviseAway, descriptorsWritten, dieOf } from './deputy_calls.ts';
import { mirroredAction } from './recorder.ts';
import { createThread } from './restore.ts';
import { bounceMemory, mappedMemory, placeBuffers, placedArguments, setPointers } from './request_buffers.ts';
import { restOf, timeoutError, type Rest } from './request_time.ts';
import { layout, type Injection, type Stub } from './stub.ts';

const SIGKILL = 9;
const SIGSTOP = 19;
const ENOMEM = -12;

export interface DeputyEvents {
  /** The same of a lodger. */
  lodgerExecuted(stop: StoppedTask): void;
  /** Another program was executed: it has just been loaded and has not run yet. */
  executed(stop: StoppedTask): void;
  /** The process has ended at home. */
  ended(status: TaskStatus): void;
  /** Whether a call that writes through a descriptor must be made where the program is at home. */
  touchesLive(fd: number): boolean;
}

let deputies = 0;

export class Deputy {
  /** Tells deputies apart whose memory came to lie at the same address. */
  readonly serial = ++deputies;
  readonly pid: number;
  readonly stub: Stub;
  link: GuestLink;
  /** Mask of the signals that wait here, for the program's signalfds. */
  readonly #held: bigint;
  readonly #slots: DeputySlots;
  readonly #loop: Loop;
  readonly #events: DeputyEvents;
  readonly #threads = new Map<number, DeputyThread>();
  readonly disowned = new Disowned();
  /** Requests whose results must still be looked for. */
  #waiting: DeputyThread[] = [];
  /** Requests made for the body since it left; 0 means that nothing has happened yet that cannot be undone. */
  served = 0;
  stopped = false;
  /** Set while the deputy is being taken apart: its stops belong to somebody else. */
  parked = true;

  constructor(options: { pid: number; stub: Stub; link: GuestLink; loop: Loop; held: bigint; events: DeputyEvents }) {
    this.pid = options.pid;
    this.stub = options.stub;
    this.#slots = new DeputySlots(options.stub, (slot) => this.#lookAt(slot));
    this.link = options.link;
    this.#loop = options.loop;
    this.#held = options.held;
    this.#events = options.events;
  }

  get threadIds(): number[] {
    return [...this.#threads.keys()];
  }

  /** Puts a stopped thread into the deputy loop and lets it run. */
  park(task: StoppedTask, lodger = false): void {
    const slot = this.#slots.take(new Set([...this.#threads.values()].map((t) => t.slot)));
    const thread = new DeputyThread(task.tid, slot, lodger);
    this.#threads.set(task.tid, thread);
    this.#enterLoop(task, thread);
    task.setSignalMask(this.#held);
    this.#loop.onTask(task.tid, (status) => this.#onTask(thread, status));
    task.resume();
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

  /** A call of ours is waited for: its thread may have been stopped by something else, and nobody but us looks now. */
  #lookAt(slot: number): void {
    const thread = [...this.#threads.values()].find((t) => t.slot === slot);
    const status = thread && reap(thread.tid);
    if (status) this.#onTask(thread, status);
  }

  #threadOf(tid: number): DeputyThread {
    const thread = this.#threads.get(tid);
    if (!thread) throw new RangeError(`Cannot serve thread ${tid}: process ${this.pid} has no such thread`);
    return thread;
  }

  onRequest(frame: Frame): void {
    const wire = decodeRequest(frame.memory.view, frame.offset, frame.length);
    const thread = this.#threadOf(wire.tid);
    if (thread.request) throw new RangeError(`Cannot serve two requests of thread ${wire.tid} at once`);
    const { offsets, total } = placesOf(wire.buffers);
    const { large } = thread;
    if (wire.large && large?.id !== frame.id)
      throw new RangeError('Cannot serve a large request that was not announced');
    if (wire.large && large?.address === 0) return this.reply(frame.id, ENOMEM);
    if (descriptorsWritten(wire.nr, wire.args).some((fd) => this.#events.touchesLive(fd))) {
      if (wire.large) unmapLarge(this.#slots, thread);
      return this.reply(frame.id, ERESTARTNOINTR);
    }
    const memory = wire.large && large ? mappedMemory(this.pid, large.address) : bounceMemory(this.stub, thread.slot);
    if (!wire.large) placeBuffers(this.stub, thread.slot, { wire, offsets, total, frame });
    setPointers(wire, offsets, memory);
    const args = placedArguments(this.stub, thread.slot, { wire, offsets, memory });
    const began = performance.now() - wire.waited;
    const mapped = wire.large ? large : undefined;
    const request: PendingRequest = { id: frame.id, wire, args, offsets, memory, large: mapped, began };
    this.served++;
    thread.request = request;
    this.#waiting.push(thread);
    const rest = wire.waited > 0 ? this.#limit(thread, request) : undefined;
    if (rest) args[rest.index] = BigInt(rest.value);
    this.#slots.post(thread.slot, wire.nr, args, frame.id);
  }

  /** Has a request wait for the rest of its time only. @returns the argument that says so, if one does */
  #limit(thread: DeputyThread, request: PendingRequest): Rest['argument'] {
    const { argument, endAfter } = restOf(this.pid, request);
    thread.cancelExpiry?.();
    const expire = (): void => {
      request.expired = true;
      this.interrupt(request.id);
    };
    thread.cancelExpiry = endAfter === undefined ? undefined : this.#loop.after(endAfter, expire);
    return argument;
  }

  /** Registers of a thread whose call a stop has ended with EINTR: the call is made again, for the rest of its time. */
  #again(thread: DeputyThread, registers: Registers): Registers {
    registers.repeatCall();
    const rest = thread.request && this.#limit(thread, thread.request);
    return rest ? registers.set(argumentRegisters[rest.index], rest.value) : registers;
  }

  onLargeRequest(frame: Frame): void {
    const wire = decodeRequest(frame.memory.view, frame.offset, frame.length);
    announceLarge(this.#slots, this.#threadOf(wire.tid), wire, frame.id);
  }

  onBulk(frame: Frame): void {
    placeBulk(this.pid, this.#threads.values(), frame);
  }

  /** Looks for finished calls. @returns whether there was one */
  poll(): boolean {
    if (this.#waiting.length === 0) return false;
    let found = false;
    for (const thread of [...this.#waiting]) {
      if (thread.request && this.#slots.state(thread.slot) === slotState.done) {
        found = true;
        this.#finish(thread, this.#slots.result(thread.slot));
      }
    }
    return found;
  }

  /** Says whether finished calls shall ring (futex) or not (somebody is looking). */
  setSleeping(sleeping: boolean): void {
    // Atomic: the look at the slots that follows must not come before this store.
    Atomics.store(this.stub.memory.i32, (layout.doorbell >> 2) + 1, sleeping ? 1 : 0);
  }

  get doorbell(): number {
    return this.stub.memory.address + layout.doorbell;
  }

  #forget(thread: DeputyThread): PendingRequest | undefined {
    const { request } = thread;
    thread.request = undefined;
    thread.cancelExpiry?.();
    thread.cancelExpiry = undefined;
    this.#waiting = this.#waiting.filter((t) => t !== thread);
    return request;
  }

  #finish(thread: DeputyThread, result: number): void {
    const request = this.#forget(thread);
    if (!request) return;
    request.returned?.();
    if (request.large) return this.#finishLarge(thread, request, result);
    sendAnswer(this.link, { stub: this.stub, slot: thread.slot, request }, result);
  }

  #finishLarge(thread: DeputyThread, request: PendingRequest, result: number): void {
    this.#loop.start(
      async () => {
        await sendLargeData(this.link, this.pid, request, result);
        unmapLarge(this.#slots, thread);
        this.reply(request.id, result);
      },
      (error) => this.link.close(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** Sends a bare result. */
  reply(id: number, result: number): void {
    sendResult(this.link, id, result);
  }

  /** A body's thread ended: so does its deputy thread. */
  endThread(tid: number, code: number): void {
    const thread = this.#threads.get(tid);
    this.served++;
    if (thread) this.#slots.post(thread.slot, nr.exit, [BigInt(code)], 0);
  }

  // ---- interruptions ----

  /** The hosting node needs the end of a call: for a signal's handler or to come home. */
  interrupt(id: number): void {
    const thread = [...this.#threads.values()].find((t) => t.request?.id === id);
    if (!thread || thread.interruptWanted) return;
    thread.interruptWanted = true;
    new RunningTask(thread.tid).interrupt();
  }

  /** @param goOn how the thread continues: resumed, or left in its group stop */
  #onInterrupted(thread: DeputyThread, stop: StoppedTask, goOn: () => void = () => void stop.resume()): void {
    thread.interruptWanted = false;
    const { request } = thread;
    const state = this.#slots.state(thread.slot);
    if (!request || state === slotState.done) return goOn();
    const registers = stop.registers();
    const { code, base } = this.stub;
    const rip = registers.number('rip');
    if (state === slotState.executing && rip === base + code.loopCall + 2 && registers.syscall >= 0) {
      if (!isCutShort(registers)) return goOn(); // it has just finished: the loop stores the result
      const result = request.expired ? timeoutError(this.pid, request) : giveCode(registers).number('rax');
      this.#withdraw(thread, stop, { registers, result, goOn });
    } else if (request.expired) {
      this.#limit(thread, request); // not begun, so it has not waited for the last time
      goOn();
    } else if (state === slotState.requested || rip <= base + code.loopCall)
      // Not begun: the handler runs first, then the call is made; it does not end as interrupted.
      this.#withdraw(thread, stop, { registers, result: ERESTARTNOINTR, goOn });
    else goOn();
  }

  /** Takes an unfinished call back out of the slot and reports how it ended. */
  #withdraw(
    thread: DeputyThread,
    stop: StoppedTask,
    { registers, result, goOn }: { registers: Registers; result: number; goOn: () => void },
  ): void {
    this.#slots.withdraw(thread.slot);
    this.#enterLoop(stop, thread, registers);
    goOn();
    this.#finish(thread, result);
  }

  // ---- stops ----

  #onTask(thread: DeputyThread, status: TaskStatus): void {
    if (status.kind !== 'stopped') return this.#onEnd(thread, status);
    const stop = new StoppedTask(thread.tid, status.signal, status.event);
    if (status.event === traceEvent.stop) this.#onEventStop(thread, stop);
    else if (status.event === traceEvent.exec) this.#onExecuted(thread, stop);
    else if (status.event !== 0) stop.resume();
    else this.#onSignal(thread, stop);
  }

  #onExecuted(thread: DeputyThread, stop: StoppedTask): void {
    if (!thread.lodger) return this.#events.executed(stop);
    this.#lodgerLeft(thread);
    this.#events.lodgerExecuted(stop);
  }

  /** A lodger has got a memory of its own, or ended: the thread that waits for it may go on. */
  #lodgerLeft(thread: DeputyThread): void {
    this.#loop.forgetTask(thread.tid);
    this.#threads.delete(thread.tid);
    this.#forget(thread);
    this.link.sendJson(frameType.lodgerLeft, { tid: thread.tid });
  }

  get lodgers(): number[] {
    return [...this.#threads.values()].filter((t) => t.lodger).map((t) => t.tid);
  }

  #onEventStop(thread: DeputyThread, stop: StoppedTask): void {
    if (thread.lodger && stopSignals.has(stop.signal)) return void stop.listen();
    if (stopSignals.has(stop.signal)) {
      // Group stop: the parent sees it; the deputy stays stopped until SIGCONT.
      if (thread.interruptWanted) this.#onInterrupted(thread, stop, () => void stop.listen());
      else stop.listen();
      if (!this.stopped) this.link.sendFrame(frameType.stopped, 0);
      this.stopped = true;
      return;
    }
    if (this.stopped && !thread.lodger) {
      this.stopped = false;
      this.link.sendFrame(frameType.continued, 0);
    }
    if (thread.interruptWanted) this.#onInterrupted(thread, stop);
    else stop.resume();
  }

  /** A signal for the program: its place of action is the body. Only SIGSTOP acts here, since nothing can catch it. */
  #onSignal(thread: DeputyThread, stop: StoppedTask): void {
    const registers = stop.registers();
    // Whether such a call ends is decided where the handlers are; until then it goes on.
    if (endsWithEintr(registers)) stop.setRegisters(this.#again(thread, registers));
    if (stop.signal === SIGSTOP || this.#letThrough.delete(stop.signal)) return void stop.resume(stop.signal);
    if (this.disowned.takes(this.stub, stop)) return void stop.resume();
    const image = signalImage(this.pid, thread.tid, { signal: stop.signal, info: stop.signalInfo() });
    this.passOn(thread.lodger ? { ...image, tid: thread.tid } : image);
    stop.resume();
  }

  passOn(signal: SignalImage): void {
    this.#passed.add(signal);
    if (this.parked) this.link.sendJson(frameType.signal, signal);
  }

  /** Signals beyond the first `received` that were passed on. */
  signalsAfter(received: number): SignalImage[] {
    return this.#passed.after(received);
  }

  /** The body lives at the other end of another link now, and has got the first `received` signals. */
  moveTo(link: GuestLink, received: number): void {
    this.link = link;
    for (const signal of this.#passed.rebase(received)) link.sendJson(frameType.signal, signal);
    if (this.stopped) link.sendFrame(frameType.stopped, 0);
  }

  readonly #passed = new PassedSignals();
  readonly #letThrough = new Set<number>();

  /** A stop signal took its default action at the body: the deputy takes the stop, so that its parent sees it. */
  takeStop(signal: number, lodger = 0): void {
    if (!stopSignals.has(signal)) throw new RangeError(`Cannot stop the deputy by signal ${signal}`);
    this.#letThrough.add(signal);
    kernel.call(nr.kill, lodger && this.lodgers.includes(lodger) ? lodger : this.pid, signal);
  }

  /** A lodger's body died of a signal: so does the lodger. */
  endLodger(tid: number, signal: number): void {
    if (!this.lodgers.includes(tid)) return;
    if (signal === SIGKILL) return void kernel.call(nr.kill, tid, SIGKILL);
    this.#letThrough.add(signal);
    this.lend(tid, (session) => dieOf(this.stub, session, tid, signal), 0n);
  }

  #onEnd(thread: DeputyThread, status: TaskStatus): void {
    if (thread.lodger) return this.#lodgerLeft(thread);
    this.#loop.forgetTask(thread.tid);
    this.#threads.delete(thread.tid);
    this.#forget(thread);
    if (thread.tid === this.pid) this.#events.ended(status);
  }

  // ---- threads ----

  /** The body wants a thread: the deputy makes one first, and its id is the id. @returns the id, -errno, or `noSlot` */
  createThread({ tid, flags }: { tid: number; flags: number }): number {
    const EAGAIN = -11;
    if (this.#threads.size >= layout.slotCount) return noSlot;
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
    const stop = this.#stop(this.#threadOf(tid));
    try {
      using session = this.stub.borrow(stop);
      return work(session);
    } finally {
      const registers = stop.registers();
      if (endsWithEintr(registers)) stop.setRegisters(this.#again(this.#threadOf(tid), registers));
      if (mask !== undefined) stop.setSignalMask(mask);
      stop.resume();
    }
  }

  /** Stops a thread, whatever it does. @throws TaskEnded, StopTimeout */
  #stop(thread: DeputyThread): StoppedTask {
    const running = new RunningTask(thread.tid);
    try {
      for (;;) {
        running.interrupt();
        const stop = running.waitStop();
        if (stop.event === traceEvent.stop) return stop;
        this.#onTask(thread, { kind: 'stopped', signal: stop.signal, event: stop.event });
      }
    } catch (error) {
      if (error instanceof TaskEnded) this.#onEnd(thread, error.status);
      throw error;
    }
  }

  /** The body executes another program. If that fails the thread is told; if not, nothing of this deputy is left. @returns limits */
  execute(frame: Frame): [string, string][] {
    const wish = decodeExecution(frame.memory.buffer.subarray(frame.offset, frame.offset + frame.length));
    const { tid, mask } = wish.execution;
    const thread = this.#threadOf(tid);
    const { number, args, address, length } = this.lend(
      tid,
      (session) => prepareExecution(this.stub, session, wish),
      BigInt(`0x${mask}`),
    );
    const returned = (): void =>
      void this.lend(tid, (session) => session.run([[nr.munmap, address, length]]), this.#held);
    const memory = bounceMemory(this.stub, thread.slot);
    thread.request = { ...plainRequest({ id: frame.id, tid, number, args, memory }), returned };
    this.#waiting.push(thread);
    this.#slots.post(thread.slot, number, args, frame.id);
    return wish.execution.limits;
  }

  /** Its tasks are somebody else's, or no more. */
  dispose(): void {
    for (const tid of this.#threads.keys()) this.#loop.forgetTask(tid);
    this.stub.release();
  }

  /** Sets the action of one signal in the deputy by its first thread's own call. */
  mirrorAction(tid: number, id: number, signal: number, action: Uint8Array): void {
    const thread = this.#threadOf(tid);
    const { stub } = this;
    stub.writeAction(0, mirroredAction(stub, action));
    this.reply(id, this.#slots.call(thread.slot, nr.rt_sigaction, signal, stub.scratchAddress(0), 0, 8));
  }

  /** Gives anonymous memory back to the home node, whatever its threads are doing. @returns bytes asked for */
  release(ranges: readonly { start: number; end: number }[]): number {
    const [tid] = this.#threads.keys();
    if (!tid || this.stopped) throw new Error(`Cannot release the memory of process ${this.pid}: it is stopped`);
    // Served: the old memory is gone then, and nothing can go on from it.
    return this.lend(tid, (session) => adviseAway(session, ranges));
  }

  /** Stops all threads for good: the caller takes the deputy over. @returns none when the process has ended */
  takeApart(): StoppedTask[] {
    this.parked = false;
    const out: StoppedTask[] = [];
    for (const thread of [...this.#threads.values()]) {
      try {
        out.push(this.#stop(thread));
      } catch (error) {
        if (!(error instanceof TaskEnded)) throw error; // it had ended away, and so does it here
      }
      this.#loop.forgetTask(thread.tid);
      if (!this.#threads.has(this.pid)) return [];
    }
    out.sort((a, b) => (a.tid === this.pid ? -1 : b.tid === this.pid ? 1 : a.tid - b.tid));
    // They come after those that are still on their way to the body.
    const { lodgers } = this;
    const own = out.filter((task) => !lodgers.includes(task.tid));
    for (const signal of drainSignals(this.stub, own, this.#held)) this.#passed.add(signal);
    return out;
  }
}
