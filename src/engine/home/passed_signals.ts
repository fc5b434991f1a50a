/** The signals that a deputy has passed on: those that its body did not get before it left are delivered at home. */
import type { SignalImage } from '../image/image.ts';

/** Signals kept in case the body has left before it got them; a signal is on its way for milliseconds. */
const rememberedSignals = 1024;

export class PassedSignals {
  #count = 0;
  readonly #last: SignalImage[] = [];

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

  /** All but the first `received`. */
  after(received: number): SignalImage[] {
    const missed = Math.min(this.#count - received, this.#last.length);
    return missed > 0 ? this.#last.slice(-missed) : [];
  }
}
