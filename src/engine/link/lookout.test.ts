import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lookout } from './lookout.ts';

/** How many of so many looks it would make. */
function looks(lookout: Lookout, asked: number): number {
  return Array.from({ length: asked }, () => lookout.pays()).filter(Boolean).length;
}

test('Lookout looks until that was in vain for a while, and then seldom', () => {
  const lookout = new Lookout();
  assert.equal(looks(lookout, 100), 100);
  for (let i = 0; i < 20; i++) lookout.record(false);
  assert.equal(looks(lookout, 640), 10);
});

test('Lookout looks again when the few looks find something', () => {
  const lookout = new Lookout();
  for (let i = 0; i < 100; i++) lookout.record(false);
  for (let i = 0; i < 10; i++) lookout.record(true);
  assert.equal(looks(lookout, 100), 100);
});

test('Lookout does not look where one in four finds something', () => {
  const lookout = new Lookout();
  for (let i = 0; i < 400; i++) lookout.record(i % 4 === 0);
  assert.ok(looks(lookout, 640) <= 10);
});
