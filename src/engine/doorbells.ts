/**
 * How a sleeping worker learns that deputies have finished calls: a thread of its own waits on all doorbell words by
 * futex_waitv(2) and turns a ring into an eventfd that epoll sees. While the worker is awake it looks by itself, and
 * deputies do not even make the wake call. See docs/internals/event_loop.md.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { drain, EPOLLIN, eventDescriptor } from '../sys/descriptors.ts';
import { kernel } from '../sys/kernel.ts';
import { Memory } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import type { Deputy } from './home/deputy.ts';
import { boardSize, maximumBells, type BellSettings } from './doorbell_board.ts';
import type { Doze, Loop } from './link/loop.ts';

const FUTEX_WAKE = 1;
/** With more deputies than bells the worker looks by itself this often, milliseconds. */
const fallbackPeriod = 1;

export class Doorbells implements Doze {
  readonly #board = Memory.anonymous(boardSize);
  readonly #deputies: () => Deputy[];
  readonly #loop: Loop;
  #posted = '';
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
    for (const deputy of deputies) deputy.slots.setSleeping(true);
    this.#post(deputies);
    let found = false;
    for (const deputy of deputies) found = deputy.poll() || found;
    if (deputies.length > maximumBells) this.#loop.after(fallbackPeriod, () => {});
    return !found;
  }

  finish(): void {
    for (const deputy of this.#deputies()) deputy.slots.setSleeping(false);
  }

  /** Tells the thread which words to wait for, when they have changed. */
  #post(deputies: readonly Deputy[]): void {
    const belled = deputies.slice(0, maximumBells);
    const bells = belled.map((d) => d.slots.doorbell);
    const key = belled.map((d) => d.serial).join();
    if (key === this.#posted) return;
    this.#posted = key;
    this.#board.u32[1] = bells.length;
    bells.forEach((address, i) => this.#board.write64(8 + 8 * i, address));
    Atomics.add(this.#board.i32, 0, 1);
    kernel.call(nr.futex, this.#board.address, FUTEX_WAKE, 1, 0, 0, 0);
  }
}
