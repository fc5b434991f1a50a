/**
 * What must hold in every simulation of gossip, whatever the scenario: they look at all that happens and know the truth.
 *
 * 1. No node that runs, and that the observer could reach, is declared dead; standing still for as long as `stallMs` is running.
 * 2. A death is known to all who run within `deathMs`. Who stands still at that moment has a second more once it goes on.
 */
import { STATE } from '../../gossip/member_state.ts';
import type { GossipCluster } from './cluster.ts';

export interface CheckLimits {
  /** Milliseconds until everybody knows of a death. */
  deathMs: number;
}

interface Death {
  readonly slot: number;
  readonly at: number;
  readonly waiting: Set<number>;
  slowest: number;
}

export interface CheckResult {
  /** Declarations of death about nodes that ran. */
  wrongDeaths: number;
  deaths: number;
  /** Deaths that somebody who ran did not know in time. */
  lateDeaths: number;
  /** Milliseconds: the longest time until all that ran knew of a death, the mean, and the largest of those that were late. */
  slowestMs: number;
  meanMs: number;
  suspicions: number;
}

/** Milliseconds for a node to hear of it that stood still when the time was up. */
const GRACE_MS = 1000;

export class Checkers {
  readonly #limits: CheckLimits;
  readonly #open = new Map<number, Death>();
  readonly #done: Death[] = [];
  readonly #isCut: (observer: number, member: number) => boolean;
  #cluster: GossipCluster | undefined;
  #wrong = 0;
  #late = 0;
  #suspicions = 0;

  /** @param isCut Whether two nodes cannot reach each other now; then they may hold each other dead. */
  constructor(limits: CheckLimits, isCut: (observer: number, member: number) => boolean = () => false) {
    this.#limits = limits;
    this.#isCut = isCut;
  }

  watch(cluster: GossipCluster): void {
    this.#cluster = cluster;
  }

  readonly onChange = (observer: number, member: number, state: number): void => {
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    if (state === STATE.suspect) this.#suspicions += 1;
    if (state !== STATE.dead) return;
    const death = this.#open.get(member);
    if (death === undefined) {
      if (cluster.machines[member].alive && !this.#isCut(observer, member)) this.#wrong += 1;
      return;
    }
    death.waiting.delete(observer);
    // What somebody missed who stood still is not the protocol's time.
    if (cluster.now - cluster.machines[observer].stalledUntil > GRACE_MS) {
      death.slowest = Math.max(death.slowest, cluster.now - death.at);
    }
    if (death.waiting.size === 0) this.#close(death);
  };

  /** The machine has just been killed. */
  killed(slot: number): void {
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    for (const death of this.#open.values()) death.waiting.delete(slot);
    const waiting = new Set<number>();
    for (const [other, machine] of cluster.machines.entries()) {
      if (machine.alive && machine.gossiper.vector.state[slot] !== STATE.dead) waiting.add(other);
    }
    this.#open.set(slot, { slot, at: cluster.now, waiting, slowest: 0 });
  }

  /** To be called about every second. */
  look(): void {
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    for (const death of this.#open.values()) {
      const late = cluster.now - death.at;
      if (late < this.#limits.deathMs) continue;
      const isExcused = (slot: number): boolean => {
        const { alive, stalledUntil } = cluster.machines[slot];
        return !alive || stalledUntil + GRACE_MS > death.at + this.#limits.deathMs;
      };
      for (const slot of death.waiting) if (isExcused(slot)) death.waiting.delete(slot);
      if (death.waiting.size > 0) this.#late += 1;
      this.#close(death);
    }
  }

  result(): CheckResult {
    const times = this.#done.map(({ slowest }) => slowest);
    return {
      wrongDeaths: this.#wrong,
      deaths: this.#done.length,
      lateDeaths: this.#late,
      slowestMs: Math.max(0, ...times),
      meanMs: Math.round(times.reduce((sum, each) => sum + each, 0) / Math.max(1, times.length)),
      suspicions: this.#suspicions,
    };
  }

  #close(death: Death): void {
    this.#open.delete(death.slot);
    this.#done.push(death);
  }
}
