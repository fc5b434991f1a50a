/** Some nodes are starved of their CPU: they run for a while, then stand still for up to some seconds, again and again. */
import type { GossipCluster } from './cluster.ts';

export interface Starving {
  /** Of all nodes. */
  share: number;
  /** Milliseconds: a stall is between 0 and that, all lengths alike. */
  longestMs: number;
  /** Mean milliseconds between two stalls. */
  apartMs: number;
}

/** Milliseconds that the wheel of events reaches ahead, at least. */
const FARTHEST_MS = 15_000;

export class Starvation {
  readonly #cluster: GossipCluster;
  readonly #starving: Starving;
  readonly #next: Float64Array;
  readonly #nodes: number[];
  stalls = 0;

  constructor(cluster: GossipCluster, starving: Starving) {
    this.#cluster = cluster;
    this.#starving = starving;
    const count = Math.round(cluster.machines.length * starving.share);
    this.#nodes = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * cluster.machines.length) / count));
    this.#next = Float64Array.from(this.#nodes, () => cluster.random.exponential(starving.apartMs));
  }

  /** To be called every 100 ms or so. */
  step(): void {
    const { random, now, machines } = this.#cluster;
    for (const [index, slot] of this.#nodes.entries()) {
      if (now < this.#next[index]) continue;
      const length = Math.min(FARTHEST_MS, random.number() * this.#starving.longestMs);
      if (machines[slot].alive) this.#cluster.stall(slot, length);
      this.#next[index] = now + length + random.exponential(this.#starving.apartMs);
      this.stalls += 1;
    }
  }
}
