/** A seeded source of chance: sfc32 (PractRand's small fast counting generator), which passes the usual batteries of tests. */

export class Random {
  #a = 0;
  #b = 0;
  #c: number;
  #d = 1;

  constructor(seed: number) {
    this.#c = seed | 0;
    for (let i = 0; i < 15; i += 1) this.#next();
  }

  /** At least 0 and below 1. */
  readonly number = (): number => this.#next() / 2 ** 32;

  /** A whole number at least 0 and below `limit`. */
  below(limit: number): number {
    return Math.floor(this.number() * limit);
  }

  /** From the exponential distribution of that mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.number());
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }
}
