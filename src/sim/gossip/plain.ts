/**
 * Plain gossip, to compare with: each period every node measures itself and sends the w freshest entries, its own with them, to
 * a random node. Nothing gets lost and nobody is asked anything, as in the mathematics.
 */
import { STATE } from '../../gossip/member_state.ts';
import { NO_STAMP, Vector } from '../../gossip/vector.ts';
import type { Random } from '../random.ts';
import type { ExpectedAges } from './formulas.ts';

export interface PlainOptions {
  nodes: number;
  window: number;
  /** Until ages are looked at; some times the largest age that is expected. */
  warmUp: number;
  random: Random;
}

/** Periods over which ages are averaged, and how far they lie apart. */
const LOOKS = 10;
const APART = 7;

/** @returns ages in periods */
export function plainAges({ nodes, window, warmUp, random }: PlainOptions): ExpectedAges {
  const vectors = Array.from({ length: nodes }, () => vectorOf(nodes, window));
  // Nodes tick at different times of the period, in an order that stays.
  const order = Int32Array.from({ length: nodes }, (_, i) => i);
  for (let i = nodes - 1; i > 0; i -= 1) {
    const other = random.below(i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  const sum = { mean: 0, max: 0 };
  for (let period = 1; period <= warmUp + LOOKS * APART; period += 1) {
    for (let i = 0; i < nodes; i += 1) turn(vectors, order[i], { period, phase: i / nodes, window, random });
    if (period > warmUp && (period - warmUp) % APART === 0) {
      const { mean, max } = agesOf(vectors, period + 1);
      sum.mean += mean / LOOKS;
      sum.max += max / LOOKS;
    }
  }
  return sum;
}

/** Averages over all vectors: of the mean age in each, and of the largest. */
export function agesOf(vectors: readonly Vector[], now: number): ExpectedAges {
  let [means, maxima] = [0, 0];
  for (const [self, { stamp }] of vectors.entries()) {
    let [sum, oldest] = [0, Infinity];
    for (let slot = 0; slot < vectors.length; slot += 1) {
      if (slot === self) continue;
      // Of whom nothing was heard yet, it is as old as the simulation.
      const measured = Math.max(0, stamp[slot]);
      sum += now - measured;
      if (measured < oldest) oldest = measured;
    }
    means += sum / (vectors.length - 1);
    maxima += now - oldest;
  }
  return { mean: means / vectors.length, max: maxima / vectors.length };
}

interface Turn {
  period: number;
  phase: number;
  window: number;
  random: Random;
}

function turn(vectors: readonly Vector[], self: number, { period, phase, window, random }: Turn): void {
  const other = random.below(vectors.length - 1);
  const target = vectors[other < self ? other : other + 1];
  const vector = vectors[self];
  vector.take(self, period, period + phase);
  for (let i = 0; i < Math.min(window, vector.freshCount); i += 1) {
    const slot = vector.freshSlot[i];
    target.take(slot, vector.seq[slot], vector.stamp[slot]);
  }
}

function vectorOf(nodes: number, window: number): Vector {
  const vector = new Vector(nodes, window);
  for (let slot = 0; slot < nodes; slot += 1) vector.setState(slot, STATE.alive);
  if (vector.stamp.some((stamp) => stamp !== NO_STAMP)) throw new Error('Cannot begin: a vector is not empty');
  return vector;
}
