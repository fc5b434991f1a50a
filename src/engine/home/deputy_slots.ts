/** The slots of one deputy: requests go in, states and results come out (docs/internals/slots.md). */
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { slotLayout, slotState } from '../../sys/x64/stub_code.ts';
import { layout, type Stub } from '../task/stub.ts';

const FUTEX_WAKE = 1;

export class DeputySlots {
  readonly #stub: Stub;

  constructor(stub: Stub) {
    this.#stub = stub;
  }

  /** Makes a slot ready for another thread. @throws RangeError when all are taken */
  take(used: ReadonlySet<number>): number {
    for (let slot = 0; slot < layout.slotCount; slot++) {
      if (used.has(slot)) continue;
      this.#clear(slot);
      return slot;
    }
    throw new RangeError(`Cannot park another thread: all ${layout.slotCount} slots are taken`);
  }

  #clear(slot: number): void {
    const at = this.#stub.slotOffset(slot);
    this.#stub.memory.u8.fill(0, at, at + slotLayout.size);
    this.#stub.memory.write64(at + slotLayout.doorbell, this.#stub.base + layout.doorbell);
  }

  /** Says whether finished calls shall ring (futex) or not (somebody is looking). */
  setSleeping(sleeping: boolean): void {
    // Atomic: the look at the slots that follows must not come before this store.
    Atomics.store(this.#stub.memory.i32, (layout.doorbell >> 2) + 1, sleeping ? 1 : 0);
  }

  get doorbell(): number {
    return this.#stub.memory.address + layout.doorbell;
  }

  get rings(): number {
    return Atomics.load(this.#stub.memory.i32, layout.doorbell >> 2) >>> 0;
  }

  /** Writes a request and wakes the thread. */
  post(slot: number, number: number, args: readonly bigint[], id: number): void {
    const { memory } = this.#stub;
    const at = this.#stub.slotOffset(slot);
    const words = memory.u64;
    words[(at + slotLayout.nr) / 8] = BigInt(number);
    for (let i = 0; i < 6; i++) words[(at + slotLayout.args) / 8 + i] = BigInt.asUintN(64, args[i] ?? 0n);
    words[(at + slotLayout.id) / 8] = BigInt(id);
    Atomics.store(memory.i32, at >> 2, slotState.requested);
    kernel.call(nr.futex, memory.address + at, FUTEX_WAKE, 1, 0, 0, 0);
  }

  state(slot: number): number {
    return Atomics.load(this.#stub.memory.i32, this.#stub.slotOffset(slot) >> 2);
  }

  /** Takes a request back. */
  withdraw(slot: number): void {
    Atomics.store(this.#stub.memory.i32, this.#stub.slotOffset(slot) >> 2, slotState.idle);
  }

  result(slot: number): number {
    return Number(BigInt.asIntN(64, this.#stub.memory.u64[(this.#stub.slotOffset(slot) + slotLayout.result) / 8]));
  }
}
