/** The signals that a deputy has passed on: those that its body did not get before it left are delivered at home. */
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { SignalImage } from '../image/image.ts';

/** Signals kept in case the body has left before it got them; a signal is on its way for milliseconds. */
const rememberedSignals = 1024;

export class PassedSignals {
  #count = 0;
  readonly #last: SignalImage[] = [];
  /** Of each thread that executes a program: how many signals its body had got when it began. */
  readonly #executing = new Map<number, number>();

  add(signal: SignalImage): void {
    this.#count++;
    this.#last.push(signal);
    if (this.#last.length > rememberedSignals) this.#last.shift();
  }

  /** From here on only what the body did not get counts. @returns that */
  rebase(received: number): SignalImage[] {
    const missed = this.after(received);
    this.#count = missed.length;
    this.#last.splice(0, this.#last.length, ...missed);
    return missed;
  }

  /** A thread is to execute a program, its body having got `received`. @returns false if more are on their way to it */
  beginExecution(tid: number, received: number): boolean {
    this.#executing.set(tid, received);
    return this.after(received).length === 0;
  }

  /** It did: of what was passed on meanwhile the body can make nothing any more, so the new program gets it. */
  signalExecuted({ tid, lodger }: { tid: number; lodger: boolean }, lodgers: readonly number[]): void {
    const missed = this.after(this.#executing.get(tid) ?? this.#count);
    const own = missed.filter((signal) => (lodger ? signal.tid === tid : !lodgers.includes(signal.tid)));
    for (const { signal } of own) kernel.call(nr.kill, tid, signal);
  }

  /** All but the first `received`. */
  after(received: number): SignalImage[] {
    const missed = Math.min(this.#count - received, this.#last.length);
    return missed > 0 ? this.#last.slice(-missed) : [];
  }
}
