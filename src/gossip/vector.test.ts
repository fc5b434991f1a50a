import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import { STATE } from './member_state.ts';
import { nodeId, Roster } from './roster.ts';
import { Vector } from './vector.ts';

const FRESH = 5;

test('Vector keeps the freshest entries in order, and only the newest of each', () => {
  const entry = fc.record({ slot: fc.nat(11), seq: fc.integer({ min: 1, max: 40 }), stamp: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
      const vector = new Vector(12, FRESH);
      for (let slot = 0; slot < 12; slot += 1) vector.setState(slot, STATE.alive);
      const newest = new Map<number, { seq: number; stamp: number }>();
      // A newer measurement has a later stamp, as it is in life.
      for (const { slot, seq } of entries) {
        const stamp = seq * 10 + slot / 100;
        const known = newest.get(slot);
        assert.equal(vector.take(slot, seq, stamp), known === undefined || seq > known.seq);
        if (known === undefined || seq > known.seq) newest.set(slot, { seq, stamp });
      }
      const expected = [...newest].toSorted(([, a], [, b]) => b.stamp - a.stamp).map(([slot]) => slot);
      assert.deepEqual([...vector.freshSlot.subarray(0, vector.freshCount)], expected.slice(0, FRESH));
      for (const [slot, { seq, stamp }] of newest)
        assert.deepEqual([vector.seq[slot], vector.stamp[slot]], [seq, stamp]);
    }),
  );
});

test('Vector counts members and the dead, and forgets the entries of who has gone', () => {
  const vector = new Vector(2, FRESH);
  for (let slot = 0; slot < 2; slot += 1) vector.setState(slot, STATE.alive);
  vector.take(1, 1, 5);
  vector.setState(1, STATE.suspect);
  assert.deepEqual([vector.members, vector.dead, vector.freshCount], [2, 0, 1]);
  vector.setState(1, STATE.dead);
  assert.deepEqual([vector.members, vector.dead, vector.freshCount], [1, 1, 0]);
  vector.reserve(50);
  assert.deepEqual([vector.state[1], vector.seq[1], vector.state[40]], [STATE.dead, 1, STATE.unknown]);
});

test('Roster orders members by id, whatever the order in which they came', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/), { maxLength: 60 }), (names) => {
      const roster = new Roster();
      for (const name of names) assert.ok(roster.add({ name, address: '10.0.0.1', port: 1, guestPort: 2 }) >= 0);
      const order = [...roster.order.subarray(0, roster.size)];
      const ids = order.map((slot) => roster.id(slot));
      assert.deepEqual(
        ids,
        names.map(nodeId).toSorted((a, b) => a - b),
      );
      for (const [place, slot] of order.entries()) assert.equal(roster.place(slot), place);
      assert.deepEqual([roster.startOf(0, 4), roster.startOf(4, 4)], [0, names.length]);
      for (let part = 0; part < 4; part += 1) {
        for (let i = roster.startOf(part, 4); i < roster.startOf(part + 1, 4); i += 1) {
          assert.equal(Math.floor((ids[i] / 2 ** 48) * 4), part);
        }
      }
    }),
  );
});

test('Roster takes no more than it was made for, and replaces what it knows', () => {
  const roster = new Roster(2);
  const card = { name: 'a', address: '10.0.0.1', port: 1, guestPort: 2 };
  assert.deepEqual(
    [roster.add(card), roster.add({ ...card, name: 'b' }), roster.add({ ...card, name: 'c' })],
    [0, 1, -1],
  );
  assert.equal(roster.add({ ...card, address: '10.0.0.9' }), 0);
  assert.equal(roster.card(0).address, '10.0.0.9');
});
