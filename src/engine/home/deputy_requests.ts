/**
 * The calls that a deputy makes for its body: from the request's frame into a slot, from the slot to the answer. A call
 * that has waited before, or is cut short here, waits for the rest of its time only.
 * See docs/internals/slots.md.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { argumentRegisters, ERESTARTNOINTR, type Registers } from '../../sys/x64/registers.ts';
import { isInBackground } from '../../sys/terminal_signals.ts';
import { slotState } from '../../sys/x64/stub_code.ts';
import { placesOf, type WireRequest } from '../../wire/call_messages.ts';
import { sendAnswer, sendLargeData, sendResult } from './answers.ts';
import { descriptorsWritten } from './deputy_calls.ts';
import { DeputySlots } from './deputy_slots.ts';
import type { DeputyThread, PendingRequest } from './deputy_thread.ts';
import { endsWithEintr, giveCode, isCutShort } from '../task/interrupted_calls.ts';
import { announceLarge, unmapLarge } from './large_requests.ts';
import type { Frame, GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { bounceMemory, mappedMemory, placeBuffers, placedArguments, setPointers } from './request_buffers.ts';
import { restOf, type Rest } from './request_time.ts';
import { timeoutError } from '../task/socket_waits.ts';
import type { InjectedCall, Stub } from '../task/stub.ts';

const ENOMEM = -12;

/** What of a deputy its requests need. */
export interface RequestedDeputy {
  readonly stub: Stub;
  readonly link: GuestLink;
  /** Makes a call of our own in a thread that has nothing else to do. */
  ownCall(thread: DeputyThread, call: InjectedCall): number;
  /** Whether a call that writes through a descriptor must be made where the program is at home. */
  touchesLive(fd: number): boolean;
  readonly pid: number;
  /** A thread that has nothing else to do blocks these signals, besides those that it must. */
  block(thread: DeputyThread, signals: bigint): void;
  /** Has the call of a request end. */
  interrupt(id: number): void;
}

export class DeputyRequests {
  readonly slots: DeputySlots;
  readonly #deputy: RequestedDeputy;
  readonly #loop: Loop;
  /** Whose results must still be looked for. */
  #waiting: DeputyThread[] = [];

  constructor(deputy: RequestedDeputy, stub: Stub, loop: Loop) {
    this.slots = new DeputySlots(stub);
    this.#deputy = deputy;
    this.#loop = loop;
  }

  serve(thread: DeputyThread, wire: WireRequest, frame: Frame): void {
    if (thread.request) throw new RangeError(`Cannot serve two requests of thread ${wire.tid} at once`);
    const { stub, link } = this.#deputy;
    const { offsets, total } = placesOf(wire.buffers);
    const { large, slot } = thread;
    if (wire.large && large?.id !== frame.id)
      throw new RangeError('Cannot serve a large request that was not announced');
    if (wire.large && large?.address === 0) return sendResult(link, frame.id, ENOMEM);
    if (descriptorsWritten(wire.nr, wire.args).some((fd) => this.#deputy.touchesLive(fd))) {
      if (wire.large) this.#unmap(thread);
      return sendResult(link, frame.id, ERESTARTNOINTR);
    }
    const memory = wire.large && large ? mappedMemory(stub.view, large.address) : bounceMemory(stub, slot);
    if (!wire.large) placeBuffers(stub, slot, { wire, offsets, total, frame });
    setPointers(wire, offsets, memory);
    const args = placedArguments(stub, slot, { wire, offsets, memory });
    const began = performance.now() - wire.waited;
    const mapped = wire.large ? large : undefined;
    const request: PendingRequest = { id: frame.id, wire, args, offsets, memory, large: mapped, began };
    const rest = wire.waited > 0 ? this.#limit(thread, request) : undefined;
    if (rest) args[rest.index] = BigInt(rest.value);
    if (wire.blocked && isInBackground(this.#deputy.pid)) {
      this.#deputy.block(thread, BigInt(wire.blocked));
      request.returned = () => this.#deputy.block(thread, 0n);
    }
    this.post(thread, request, args);
  }

  /** Has the thread make a call. */
  post(thread: DeputyThread, request: PendingRequest, args: readonly bigint[]): void {
    thread.request = request;
    this.#waiting.push(thread);
    this.slots.post(thread.slot, request.wire.nr, args, request.id);
    this.#loop.expect(this.slots);
  }

  #unmap(thread: DeputyThread): void {
    unmapLarge((...call) => this.#deputy.ownCall(thread, call), thread);
  }

  announce(thread: DeputyThread, wire: WireRequest, id: number): void {
    announceLarge((...call) => this.#deputy.ownCall(thread, call), thread, wire, id);
  }

  /** Has a request wait for the rest of its time only. @returns the argument that says so, if one does */
  #limit(thread: DeputyThread, request: PendingRequest): Rest['argument'] {
    const { argument, endAfter } = restOf(this.#deputy.stub.view, request);
    thread.cancelExpiry?.();
    const expire = (): void => {
      request.expired = true;
      this.#deputy.interrupt(request.id);
    };
    thread.cancelExpiry = endAfter === undefined ? undefined : this.#loop.after(endAfter, expire);
    return argument;
  }

  /** A call that our own stop has ended with EINTR is made again, for the rest of its time. */
  repeatEnded(thread: DeputyThread, stop: StoppedTask): void {
    const registers = stop.registers();
    if (!endsWithEintr(registers)) return;
    registers.repeatCall();
    const rest = thread.request && this.#limit(thread, thread.request);
    stop.setRegisters(rest ? registers.set(argumentRegisters[rest.index], rest.value) : registers);
  }

  /** Whether a thread has a call to make. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Looks for finished calls. @returns whether there was one */
  poll(): boolean {
    if (this.#waiting.length === 0) return false;
    let found = false;
    for (const thread of [...this.#waiting]) {
      if (thread.request && this.slots.state(thread.slot) === slotState.done) {
        found = true;
        this.finish(thread, this.slots.result(thread.slot));
      }
    }
    return found;
  }

  forget(thread: DeputyThread): PendingRequest | undefined {
    const { request } = thread;
    thread.request = undefined;
    thread.cancelExpiry?.();
    thread.cancelExpiry = undefined;
    this.#waiting = this.#waiting.filter((t) => t !== thread);
    if (this.#waiting.length === 0) this.#loop.answered(this.slots);
    return request;
  }

  finish(thread: DeputyThread, result: number): void {
    const { stub, link } = this.#deputy;
    const request = this.forget(thread);
    if (!request) return;
    request.returned?.();
    if (request.large) return this.#finishLarge(thread, request, result);
    sendAnswer(link, { stub, slot: thread.slot, request }, result);
  }

  #finishLarge(thread: DeputyThread, request: PendingRequest, result: number): void {
    const deputy = this.#deputy;
    this.#loop.start(
      async () => {
        await sendLargeData(deputy.link, deputy.stub.view, request, result);
        this.#unmap(thread);
        sendResult(deputy.link, request.id, result);
      },
      (error) => deputy.link.close(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /**
   * Takes the thread's request out of its slot, which is the log: it says how far the call has got. The result, or a restart
   * code, is in rax from then on until the state says `done`.
   * @returns what to answer; undefined when there is nothing to take out
   */
  withdraw(thread: DeputyThread, registers: Registers): number | undefined {
    const { stub } = this.#deputy;
    const { request, slot } = thread;
    const state = this.slots.state(slot);
    if (!request || state === slotState.done) return undefined;
    const begun = state !== slotState.requested && registers.number('rip') > stub.base + stub.code.loopCall;
    if (request.expired && !begun) {
      this.#limit(thread, request); // it has not waited for the last time
      return undefined;
    }
    this.slots.withdraw(slot);
    // The handler runs first, then the call is made; it does not end as interrupted.
    if (!begun) return ERESTARTNOINTR;
    return request.expired && isCutShort(registers)
      ? timeoutError({ pid: stub.view, ...request.wire })
      : giveCode(registers).number('rax');
  }
}
