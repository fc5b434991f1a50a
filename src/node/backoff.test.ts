import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Backoff, pause } from './backoff.ts';

test('Backoff doubles up to its maximum and begins anew after a success', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 400, random: () => 1 });
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [100, 200, 400, 400]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test('Backoff never waits less than half', () => {
  assert.equal(new Backoff({ firstMs: 100, maxMs: 400, random: () => 0 }).next(), 50);
});

test('pause ends at once when the signal is or gets aborted', async () => {
  const controller = new AbortController();
  const waiting = pause(1_000_000, controller.signal);
  controller.abort();
  await waiting;
  await pause(1_000_000, controller.signal);
});
