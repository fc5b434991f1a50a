/**
 * The event loop of an engine worker. It is synchronous: a forwarded call must not pay for promises, so handlers run
 * directly from epoll. Longer work (a migration) is written with async/await; whenever such work may go on, one turn of
 * Node's own loop is made, which runs its continuations. ptrace belongs to the OS thread, so all of it stays in one
 * worker. See docs/internals/event_loop.md.
 */
import { Epoll, EPOLLET, EPOLLIN } from '../../sys/descriptors.ts';
import { reapAny, takeEndsSeen, type TaskStatus } from '../../sys/ptrace.ts';
import { Lookout } from './lookout.ts';

export type Handler = (events: number) => void;

/** A wait ran out of time. */
export class DeadlineExceeded extends Error {
  constructor(what: string, milliseconds: number) {
    super(`Cannot ${what}: nothing happened for ${milliseconds} ms`);
    this.name = 'DeadlineExceeded';
  }
}

export interface Doze {
  /** Called before the loop sleeps; false: there is work, look again. */
  prepare(): boolean;
  /** Called when it is awake again. */
  finish(): void;
  /** Sleeps for a moment, for these only. @returns whether one of them has rung */
  linger(answerers: ReadonlySet<Answerer>, milliseconds: number): boolean;
}

/** Somebody on this host who can be asked for something, and tells `Doze` when it is done. */
export type Answerer = object;

/** Milliseconds: longer answers faster and burns more CPU. */
const longestLook = 0.05;

interface LoopTimer {
  at: number;
  run: () => void;
}

export class Loop {
  readonly #epoll = new Epoll();
  readonly #handlers = new Map<number, Handler>();
  readonly #tasks = new Map<number, (status: TaskStatus) => void>();
  /** Events of tasks nobody has claimed yet: a new thread may report before its parent's event is handled. */
  readonly #unclaimed = new Map<number, TaskStatus>();
  readonly #timers = new Set<LoopTimer>();
  readonly #pollers = new Set<() => boolean>();
  #doze: Doze | undefined;
  /** What to do with an exception of a handler: it must not end the guests of all others. */
  failed: (error: unknown) => void = () => {};
  #continuations = false;
  #stopped = false;
  #lastWork = 0;
  /** After work whose answer is on its way, and after other work; and of sleeping for answers only. */
  readonly #lookouts = { answer: new Lookout(), any: new Lookout(), lingering: new Lookout() };
  readonly #answerers = new Set<Answerer>();
  #lookout = this.#lookouts.any;
  #looks = false;
  #looked = false;
  #expecting = false;

  constructor(childEvents: number) {
    this.#epoll.add(childEvents, (EPOLLIN | EPOLLET) >>> 0);
    this.#handlers.set(childEvents, () => this.reapTasks());
  }

  watch(fd: number, events: number, handler: Handler): void {
    this.#handlers.set(fd, handler);
    this.#epoll.add(fd, events);
  }

  change(fd: number, events: number): void {
    this.#epoll.change(fd, events);
  }

  unwatch(fd: number): void {
    if (this.#handlers.delete(fd)) this.#epoll.remove(fd);
  }

  /** Looked at in every turn, also while spinning; returns true when it found work. */
  addPoller(poller: () => boolean): () => void {
    this.#pollers.add(poller);
    return () => this.#pollers.delete(poller);
  }

  set doze(doze: Doze) {
    this.#doze = doze;
  }

  /** Receives the ptrace events of a task. An event that came before is delivered at once. */
  onTask(tid: number, handler: (status: TaskStatus) => void): void {
    this.#tasks.set(tid, handler);
    const early = this.#unclaimed.get(tid);
    if (early && this.#unclaimed.delete(tid)) handler(early);
  }

  /** Nobody cares any more how a task ends; it is only taken away. */
  discardTask(tid: number): void {
    const handler = (status: TaskStatus): void => {
      if (status.kind !== 'stopped' && this.#tasks.get(tid) === handler) this.#tasks.delete(tid);
    };
    this.onTask(tid, handler);
  }

  forgetTask(tid: number): void {
    this.#tasks.delete(tid);
    this.#unclaimed.delete(tid);
  }

  /** Takes the pending event of a task that nobody has claimed, if there is one. */
  takeUnclaimed(tid: number): TaskStatus | undefined {
    const status = this.#unclaimed.get(tid);
    this.#unclaimed.delete(tid);
    return status;
  }

  reapTasks(): void {
    for (let event = reapAny(); event; event = reapAny()) {
      const handler = this.#tasks.get(event.tid);
      if (handler) this.#guard(() => handler(event.status));
      else this.#unclaimed.set(event.tid, event.status);
    }
  }

  /** Whoever waited for a stop and met an end may not be the one who looks after the task. */
  #tellEnds(): void {
    for (const { tid, status } of takeEndsSeen()) {
      const handler = this.#tasks.get(tid);
      if (handler) this.#guard(() => handler(status));
    }
  }

  /** Runs `body` after some time. @returns a function that cancels it */
  after(milliseconds: number, body: () => void): () => void {
    const timer = { at: performance.now() + milliseconds, run: body };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(milliseconds: number): Promise<void> {
    return this.promise((resolve) => void this.after(milliseconds, resolve));
  }

  /** A promise whose resolution makes the loop run continuations. */
  promise<T>(body: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      body(
        (value) => {
          this.continue();
          resolve(value);
        },
        (error) => {
          this.continue();
          reject(error);
        },
      );
    });
  }

  /** As `promise`, with a deadline. */
  within<T>(
    milliseconds: number,
    what: string,
    body: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    return this.promise<T>((resolve, reject) => {
      const cancel = this.after(milliseconds, () => reject(new DeadlineExceeded(what, milliseconds)));
      body(
        (value) => {
          cancel();
          resolve(value);
        },
        (error) => {
          cancel();
          reject(error);
        },
      );
    });
  }

  /** Some promise was resolved: let its continuations run before the loop sleeps again. */
  continue(): void {
    this.#continuations = true;
  }

  /** What a handler has just passed on may be answered at once: worth a look before the loop sleeps. @param by whom, if here */
  expect(by?: Answerer): void {
    this.#expecting = true;
    if (by) this.#answerers.add(by);
  }

  /** He has answered. */
  answered(by: Answerer): void {
    this.#answerers.delete(by);
  }

  /** Starts async work; its failure is given to `failed`. */
  start(work: () => Promise<void>, failed: (error: unknown) => void): void {
    this.continue();
    work().then(
      () => this.continue(),
      (error: unknown) => {
        this.continue();
        failed(error);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#turn();
      if (!this.#continuations) continue;
      this.#continuations = false;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #turn(): void {
    this.#runTimers();
    this.#tellEnds();
    if (this.#poll()) return this.#worked();
    if (this.#dispatch(0)) return this.#worked();
    if (this.#continuations) return;
    if (this.#looks && performance.now() - this.#lastWork < longestLook) {
      this.#looked = true;
      return;
    }
    if (this.#looked) this.#lookout.record(false);
    this.#looked = this.#looks = false;
    if (this.#linger()) return;
    if (this.#doze && !this.#doze.prepare()) return this.#doze.finish();
    const events = this.#dispatch(this.#untilTimer());
    this.#doze?.finish();
    if (events) this.#worked();
  }

  /** Those that it waits for may need this very CPU: they get it, and wake nobody else than this thread. */
  #linger(): boolean {
    const { lingering } = this.#lookouts;
    let found = false;
    if (this.#doze && this.#answerers.size > 0 && lingering.pays()) {
      found = this.#doze.linger(this.#answerers, longestLook);
      lingering.record(found);
    }
    if (!found) this.#answerers.clear();
    return found;
  }

  #worked(): void {
    if (this.#looked) this.#lookout.record(true);
    this.#lookout = this.#expecting ? this.#lookouts.answer : this.#lookouts.any;
    this.#looks = this.#lookout.pays();
    this.#looked = this.#expecting = false;
    this.#lastWork = performance.now();
  }

  #poll(): boolean {
    let found = false;
    for (const poller of this.#pollers) found = poller() || found;
    return found;
  }

  #dispatch(milliseconds: number): boolean {
    const n = this.#epoll.wait(milliseconds);
    for (let i = 0; i < n; i++) {
      const fd = this.#epoll.descriptor(i);
      const events = this.#epoll.events(i);
      this.#guard(() => this.#handlers.get(fd)?.(events));
    }
    return n > 0;
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.failed(error);
    }
  }

  #runTimers(): void {
    if (this.#timers.size === 0) return;
    const now = performance.now();
    for (const timer of this.#timers) {
      if (timer.at > now) continue;
      this.#timers.delete(timer);
      this.#guard(timer.run);
    }
  }

  /** Milliseconds until the next timer, at most a second. */
  #untilTimer(): number {
    let wait = 1000;
    const now = performance.now();
    for (const timer of this.#timers) wait = Math.min(wait, Math.ceil(timer.at - now));
    return Math.max(0, wait);
  }
}
