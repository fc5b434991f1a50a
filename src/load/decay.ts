/** Averages that forget: an exponentially decayed mean of values that hold for stretches of uneven length. */

export class Decayed {
  readonly #halfLifeMs: number;
  #value: number | undefined;

  /** @param halfLifeMs Milliseconds after which a value counts half. Larger: calmer, later; smaller: nervous, sooner. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** undefined before the first stretch. */
  get value(): number | undefined {
    return this.#value;
  }

  /** Something is known from elsewhere: it counts as if it had been measured for long. */
  assume(value: number): void {
    this.#value = value;
  }

  /** The value was `value` for `elapsedMs`. The first stretch counts fully: there is nothing older to trust. */
  add(value: number, elapsedMs: number): number {
    const kept = this.#value === undefined ? 0 : 0.5 ** (elapsedMs / this.#halfLifeMs);
    this.#value = (this.#value ?? 0) * kept + value * (1 - kept);
    return this.#value;
  }
}
