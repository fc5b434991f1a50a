import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULTS } from '../gossip/tunables.ts';
import { GossipCluster } from './gossip/cluster.ts';
import { expectedAges } from './gossip/formulas.ts';
import { agesOf } from './gossip/plain.ts';
import { gossipScenarios } from './gossip/scenarios.ts';
import type { Outcome } from './gossip/scenario.ts';
import { Wheel } from './wheel.ts';

function run(name: string, options: { nodes: number; seconds?: number; window?: number; seed?: number }): Outcome {
  const all = { seed: 3, seconds: 0, window: 0, progress: (): void => {}, ...options };
  return gossipScenarios[name].run(all);
}

test('expectedAges gives the table of the paper', () => {
  const rows: [number, number, number, number][] = [
    [100, 16, 8.6, 31.9],
    [256, 8, 33.5, 195],
    [1000, 16, 65, 467],
    [10_000, 64, 160, 1529],
  ];
  for (const [n, w, mean, max] of rows) {
    const found = expectedAges(n, w);
    assert.ok(Math.abs(found.mean / mean - 1) < 0.01 && Math.abs(found.max / max - 1) < 0.01, `n=${n} w=${w}`);
  }
});

test('plain gossip is as old as the formulas have it', () => {
  assert.deepEqual(run('plain', { nodes: 100, window: 8 }).broken, []);
});

test('our exchange has younger entries than plain gossip with more of them in a message', () => {
  const tunables = { ...DEFAULTS, minWindow: 13, maxWindow: 13 };
  const network = { loss: 0, minDelayMs: 0.2, maxDelayMs: 2 };
  const cluster = new GossipCluster({ nodes: 300, seed: 3, tunables, network });
  cluster.run(75_000);
  const { mean, max } = agesOf(
    cluster.machines.map(({ gossiper }) => gossiper.vector),
    cluster.now,
  );
  const plain = expectedAges(300, 16);
  assert.ok(mean / 1000 < 0.85 * plain.mean, `mean ${mean} ms, plain ${plain.mean} periods`);
  assert.ok(max / 1000 < 0.5 * plain.max, `max ${max} ms, plain ${plain.max} periods`);
});

test('starved nodes are not declared dead, and deaths are known in time', () => {
  const { figures, broken } = run('starved', { nodes: 80, seconds: 240, window: 8 });
  assert.deepEqual(broken, [], JSON.stringify(figures));
  assert.ok(Number(figures['deaths']) >= 3 && Number(figures['suspicions']) > 100, JSON.stringify(figures));
});

test('halves merge after a partition', () => {
  const { figures, broken } = run('partition', { nodes: 60, seconds: 160 });
  assert.deepEqual(broken, [], JSON.stringify(figures));
});

test('a simulation is the same again with the same seed, and another with another', () => {
  const [one, again, other] = [1, 1, 2].map((seed) => run('partition', { nodes: 20, seconds: 120, seed }).figures);
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, other);
});

test('Wheel gives events in the order of time, and those of one moment as they were put', () => {
  const wheel = new Wheel();
  wheel.put(5, 50);
  wheel.put(3, 30);
  wheel.put(5, 51);
  wheel.put(20_000, 99);
  assert.deepEqual([wheel.take(10), wheel.take(10), wheel.take(10), wheel.take(10), wheel.now], [30, 50, 51, -1, 10]);
  wheel.put(2, 20);
  assert.deepEqual([wheel.take(10), wheel.now], [20, 10]);
  assert.equal(wheel.take(30_000), 99);
});
