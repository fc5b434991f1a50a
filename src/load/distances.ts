/**
 * How far away the other nodes are. A ping that has to wait for a CPU, here or there, says nothing of the way; so the shortest
 * one of lately counts.
 */

/** By which it grows with each longer ping: what was once nearer is forgotten after some minutes of pings a second. */
const GROWTH = 1.01;

export class Distances {
  readonly #shortest = new Map<string, number>();

  /** @param rttMs Milliseconds there and back; undefined: there was no answer. */
  feed(node: string, rttMs: number | undefined): void {
    if (rttMs === undefined) return;
    const known = this.#shortest.get(node);
    this.#shortest.set(node, known === undefined ? rttMs : Math.min(rttMs, known * GROWTH));
  }

  /** Milliseconds; 0: nothing is known. */
  of(node: string): number {
    return this.#shortest.get(node) ?? 0;
  }
}
