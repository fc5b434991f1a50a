/**
 * How a sleeping worker learns that deputies have finished calls: a thread of its own waits on all doorbell words by
 * futex_waitv(2) and turns a ring into an eventfd that epoll sees. While the worker is awake it looks by itself, and
 * deputies do not even make the wake call. See docs/internals/event_loop.md.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { drain, EPOLLIN, eventDescriptor } from '../sys/descriptors.ts';
import { kernel } from '../sys/kernel.ts';
import { arena, Memory, scratch } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import type { Deputy } from './home/deputy.ts';
import { boardSize, maximumBells, putWaiter, waiterSize, type BellSettings } from './doorbell_board.ts';
import type { Answerer, Doze, Loop } from './link/loop.ts';
import { readClock } from './task/clocks.ts';

const FUTEX_WAKE = 1;
const EAGAIN = -11;
/** With more deputies than bells the worker looks by itself this often, milliseconds. */
const fallbackPeriod = 1;

export class Doorbells implements Doze {
  readonly #board = Memory.anonymous(boardSize);
  readonly #deputies: () => Deputy[];
  readonly #loop: Loop;
  /** Serial numbers of the deputies that the thread knows. */
  #posted: number[] = [];
  /** Those that may ring while the worker sleeps. */
  #busy: Deputy[] = [];
  #thread: Worker | undefined;

  constructor(loop: Loop, deputies: () => Deputy[]) {
    this.#loop = loop;
    this.#deputies = deputies;
  }

  #startThread(): void {
    const event = eventDescriptor();
    this.#loop.watch(event, EPOLLIN, () => drain(event));
    const bundled = import.meta.filename.endsWith('.cjs');
    const file = path.join(import.meta.dirname, bundled ? 'engine_doorbells.cjs' : 'doorbell_thread.ts');
    const settings: BellSettings = { board: this.#board.address, event };
    this.#thread = new Worker(file, { workerData: settings });
    this.#thread.unref();
  }

  prepare(): boolean {
    const deputies = this.#deputies();
    if (deputies.length === 0) return true;
    if (!this.#thread) this.#startThread();
    this.#busy = deputies.filter((deputy) => deputy.requests.waits); // nobody else rings
    for (const { requests } of this.#busy) requests.slots.setSleeping(true);
    this.#post(deputies);
    let found = false;
    for (const deputy of this.#busy) found = deputy.poll() || found;
    if (deputies.length > maximumBells) this.#loop.after(fallbackPeriod, () => {});
    return !found;
  }

  finish(): void {
    this.#awake(this.#busy);
    this.#busy = [];
  }

  linger(answerers: ReadonlySet<Answerer>, milliseconds: number): boolean {
    const asked = this.#deputies().filter(({ requests }) => answerers.has(requests.slots));
    asked.length = Math.min(asked.length, maximumBells);
    for (const { requests } of asked) requests.slots.setSleeping(true);
    const words = asked.map(({ requests: { slots } }) => ({ address: slots.doorbell, value: slots.rings }));
    let rung = false;
    for (const deputy of asked) rung = deputy.poll() || rung;
    if (!rung && words.length > 0) rung = waitForAny(words, milliseconds);
    this.#awake(asked);
    return rung;
  }

  #awake(told: readonly Deputy[]): void {
    const living = this.#deputies(); // of those that are gone, so is the memory
    for (const deputy of told) if (living.includes(deputy)) deputy.requests.slots.setSleeping(false);
  }

  /** Tells the thread which words to wait for, when they have changed. */
  #post(deputies: readonly Deputy[]): void {
    const belled = deputies.slice(0, maximumBells);
    const { length } = this.#posted;
    if (belled.length === length && belled.every(({ serial }, i) => serial === this.#posted[i])) return;
    this.#posted = belled.map(({ serial }) => serial);
    this.#board.u32[1] = belled.length;
    belled.forEach(({ requests }, i) => this.#board.write64(8 + 8 * i, requests.slots.doorbell));
    Atomics.add(this.#board.i32, 0, 1);
    kernel.call(nr.futex, this.#board.address, FUTEX_WAKE, 1, 0, 0, 0);
  }
}

const CLOCK_MONOTONIC = 1;
const waitersAt = scratch(waiterSize * maximumBells);
const untilAt = scratch(16);

/** Waits until one of the words is rung. @returns whether one was; false: time is up, or a word is gone */
function waitForAny(words: readonly { address: number; value: number }[], milliseconds: number): boolean {
  words.forEach(({ address, value }, i) => putWaiter(waitersAt, i, address, value));
  const until = readClock('monotonic') + BigInt(Math.round(milliseconds * 1e6));
  arena.write64(untilAt, Number(until / 1_000_000_000n));
  arena.write64(untilAt + 8, Number(until % 1_000_000_000n));
  const { address } = arena;
  const result = kernel.call(nr.futex_waitv, address + waitersAt, words.length, 0, address + untilAt, CLOCK_MONOTONIC);
  return result >= 0 || result === EAGAIN; // it has rung before
}
