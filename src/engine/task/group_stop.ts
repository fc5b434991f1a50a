/**
 * The group stop of a deputy (signal(7), ptrace(2) "Group-stop"). The home kernel has it: it keeps the threads stopped,
 * tells the parent of the stop and of the continuation, each once, and ends it at SIGCONT. This follows it by what the
 * threads report, and says what the body must be told. See docs/internals/signals.md, "Group stop and continue".
 */

export class GroupStop {
  /** The process is stopped. */
  active = false;
  /** The body was told that it may run, or SIGCONT was sent to it, so many times: see `overtaken`. */
  continues = 0;
  readonly #tell: (stopped: boolean) => void;
  /** Counts the stops. A thread's report of SIGCONT counts only if the thread was in the present one. */
  #number = 0;
  readonly #members = new Map<number, number>();
  /** Stop signals that the body took by default: they act here when they arrive, and are not passed on again. */
  readonly #taken = new Set<number>();
  /** A thread that takes such a signal: its next stop says whether the process stops. */
  readonly #takers = new Set<number>();

  /** @param tell tells the body that it is stopped, or that it may run */
  constructor(tell: (stopped: boolean) => void) {
    this.#tell = tell;
  }

  /** A thread is in the group stop. */
  enter(tid: number): void {
    this.#takers.delete(tid);
    if (!this.active) {
      this.active = true;
      this.#number++;
      this.#tell(true);
    }
    this.#members.set(tid, this.#number);
  }

  /** Whether a thread that is in no group stop any more says that the process was continued. */
  ends(tid: number): boolean {
    return this.active && this.#members.get(tid) === this.#number;
  }

  /** It was continued, and stopped again before the body heard of it. */
  renew(): void {
    this.#number++;
  }

  /** A thread is in no group stop. @returns whether it was in one until now */
  leave(tid: number): boolean {
    const ends = this.ends(tid);
    const wasIn = this.#members.delete(tid);
    const inVain = this.#takers.delete(tid);
    if (ends || (inVain && !this.active)) this.goOn();
    return wasIn;
  }

  /** A thread has ended. */
  forget(tid: number): void {
    this.#members.delete(tid);
    this.#takers.delete(tid);
  }

  /** The body may run. */
  goOn(): void {
    this.active = false;
    this.continues++;
    this.#tell(false);
  }

  /**
   * The body took a stop signal by default and waits for word. @param seen how many continuations it had seen by then
   * @returns whether the deputy shall be sent the signal; SIGCONT, if it came meanwhile, has made the signal void
   */
  take(signal: number, seen: number): boolean {
    if (seen === this.continues) {
      this.#taken.add(signal);
      return true;
    }
    if (!this.active) this.goOn();
    return false;
  }

  /** The body waits for word whether the process stops. */
  get undecided(): boolean {
    return this.#taken.size + this.#takers.size > 0;
  }

  /** The stop signal that the deputy has still to take; 0: none. */
  get due(): number {
    const [signal = 0] = this.#taken;
    return signal;
  }

  /** A stop signal arrives at a thread. @returns whether it shall act here */
  actsHere(tid: number, signal: number): boolean {
    if (!this.#taken.delete(signal)) return false;
    this.#takers.add(tid);
    return true;
  }

  /** SIGCONT arrives, and has made void what stop signals were still on their way. */
  onContinue(): void {
    this.continues++;
    if (this.#taken.size === 0) return;
    this.#taken.clear();
    if (!this.active) this.goOn();
  }
}
