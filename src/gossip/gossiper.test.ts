/** The protocol in the simulator's world: real code, and a network, clocks and chance that a test can have as it wants. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Checkers } from '../sim/gossip/checkers.ts';
import { GossipCluster, type ClusterOptions } from '../sim/gossip/cluster.ts';
import { STATE } from './member_state.ts';
import { NewsQueue } from './news.ts';
import { Message } from './message.ts';
import { Suspicion, suspicionTime } from './suspicion.ts';
import { DEFAULTS, windowFor } from './tunables.ts';

const LAN = { loss: 0, minDelayMs: 0.2, maxDelayMs: 2 };

function clusterOf(nodes: number, options: Partial<ClusterOptions> = {}): GossipCluster {
  return new GossipCluster({ nodes, seed: 7, tunables: DEFAULTS, network: LAN, ...options });
}

/** What each node that runs believes of a member. */
function beliefs(cluster: GossipCluster, member: number): Set<number> {
  const others = cluster.machines.filter(({ alive }, slot) => alive && slot !== member);
  return new Set(others.map(({ gossiper }) => gossiper.vector.state[member]));
}

function incarnations(cluster: GossipCluster, member: number): Set<number> {
  return new Set(cluster.machines.map(({ gossiper }) => gossiper.vector.incarnation[member]));
}

test('Gossiper: all know of a death within 10 s, and two nodes are enough to notice', () => {
  for (const nodes of [2, 3, 40]) {
    const cluster = clusterOf(nodes);
    cluster.run(5000);
    cluster.kill(1);
    cluster.run(4000);
    // With one accuser and nobody to confirm, two nodes need the longer time.
    assert.ok(!beliefs(cluster, 1).has(STATE.dead), `${nodes} nodes: too early`);
    cluster.run(nodes < 5 ? 11_000 : 6000);
    assert.deepEqual(beliefs(cluster, 1), new Set([STATE.dead]), `${nodes} nodes`);
  }
});

test('Gossiper: a node that stands still for 5 s is suspected, refutes it, and is never declared dead', () => {
  const checkers = new Checkers({ deathMs: 10_000 });
  const cluster = clusterOf(30, { onChange: checkers.onChange });
  checkers.watch(cluster);
  cluster.run(5000);
  cluster.stall(3, 5000);
  cluster.run(3000);
  assert.ok(beliefs(cluster, 3).has(STATE.suspect));
  cluster.run(8000);
  assert.deepEqual(beliefs(cluster, 3), new Set([STATE.alive]));
  assert.deepEqual(incarnations(cluster, 3), new Set([2]));
  assert.equal(checkers.result().wrongDeaths, 0);
});

test('Gossiper: a node that stands still accuses nobody for the answers that it has not read', () => {
  const suspects = new Set<number>();
  const onChange = (_observer: number, member: number, state: number): void => {
    if (state === STATE.suspect) suspects.add(member);
  };
  const cluster = clusterOf(30, { onChange });
  for (let i = 0; i < 10; i += 1) {
    cluster.run(5000);
    cluster.stall(3, 4000);
  }
  cluster.run(20_000);
  assert.deepEqual(suspects, new Set([3]));
});

test('Gossiper: who comes back has a new incarnation and learns of all from one', () => {
  const cluster = clusterOf(25);
  cluster.run(3000);
  cluster.kill(4);
  cluster.run(12_000);
  cluster.revive(4, 1000);
  cluster.run(6000);
  assert.deepEqual(beliefs(cluster, 4), new Set([STATE.alive]));
  assert.ok([...incarnations(cluster, 4)].every((each) => each >= 1000));
  assert.equal(cluster.machines[4].gossiper.vector.members, 25);
});

test('Gossiper: who leaves has left for all, at once, and is not suspected', () => {
  const cluster = clusterOf(25);
  cluster.run(3000);
  cluster.leave(4);
  cluster.run(1500);
  assert.deepEqual(beliefs(cluster, 4), new Set([STATE.left]));
  cluster.run(20_000);
  assert.deepEqual(beliefs(cluster, 4), new Set([STATE.left]));
});

test('Gossiper: halves that lost each other for 30 s find together again', () => {
  const cluster = clusterOf(20);
  cluster.run(3000);
  cluster.partition((slot) => slot % 2);
  cluster.run(30_000);
  assert.deepEqual(new Set(cluster.machines.map(({ gossiper }) => gossiper.vector.members)), new Set([10]));
  cluster.partition(() => 0);
  cluster.run(40_000);
  assert.deepEqual(new Set(cluster.machines.map(({ gossiper }) => gossiper.vector.members)), new Set([20]));
});

test('Gossiper: one bad path between two nodes is no death, since helpers are asked', () => {
  let declared = 0;
  const onChange = (_observer: number, _member: number, state: number): void => {
    declared += Number(state !== STATE.alive);
  };
  const cluster = clusterOf(12, {
    onChange,
    network: { ...LAN, isCut: (from, to) => from + to === 3 && from * to === 2 },
  });
  cluster.run(60_000);
  assert.equal(declared, 0);
});

test('suspicionTime falls from the most to the least as others confirm', () => {
  const tunables = { ...DEFAULTS, suspicionMs: 1000, suspicionFactor: 3, confirmations: 3 };
  assert.deepEqual(
    [1, 2, 4, 9].map((accusers) => Math.round(suspicionTime(accusers, tunables))),
    [3000, 2000, 1000, 1000],
  );
});

test('Suspicion of hearsay asks for the whole time before it judges', () => {
  const suspicion = new Suspicion({ slot: 1, incarnation: 1, begun: 100, own: false, hearsayMs: 1000 }, DEFAULTS);
  assert.equal(suspicion.nextAppeal, Infinity);
  const waited = suspicion.deadline;
  suspicion.makeOwn(waited);
  assert.equal(suspicion.nextAppeal, waited);
  assert.ok(suspicion.deadline - waited >= DEFAULTS.suspicionMs);
  const { deadline } = suspicion;
  suspicion.pause(700);
  assert.equal(suspicion.deadline, deadline + 700);
});

test('NewsQueue sends urgent news first, each as often as it should, and of each member the latest', () => {
  const queue = new NewsQueue();
  const add = (slot: number, urgent: boolean): void =>
    queue.add({ slot, state: STATE.suspect, incarnation: slot, from: 0, urgent });
  for (let slot = 1; slot <= 5; slot += 1) add(slot, false);
  add(5, false);
  add(9, true);
  assert.equal(queue.size, 6);
  const rides = new Map<number, number>();
  for (let i = 0; i < 20; i += 1) {
    const message = new Message();
    queue.load(message, 3, 4);
    for (let row = 0; row < message.news; row += 1) {
      rides.set(message.newsSlot[row], (rides.get(message.newsSlot[row]) ?? 0) + 1);
    }
    if (i === 0) assert.equal(message.newsSlot[0], 9);
  }
  assert.equal(queue.size, 0);
  assert.deepEqual(new Set([1, 2, 3, 4, 5].map((slot) => rides.get(slot))), new Set([4]));
  assert.equal(rides.get(9), 12);
});

test('windowFor grows with the cluster as far as datagrams go', () => {
  assert.deepEqual(
    [2, 100, 10_000].map((nodes) => windowFor(nodes, DEFAULTS)),
    [6, 17, 30],
  );
});
