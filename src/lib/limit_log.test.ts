import assert from 'node:assert/strict';
import { test } from 'node:test';

import { limitLog } from './limit_log.ts';

test('limitLog leaves out what is too much and says how much that was', () => {
  const events: unknown[] = [];
  let now = 0;
  const log = limitLog(
    (event, fields) => events.push([event, fields]),
    2,
    () => now,
  );
  for (let i = 0; i < 5; i += 1) log('refused', { i });
  assert.deepEqual(events, [
    ['refused', { i: 0 }],
    ['refused', { i: 1 }],
  ]);
  now = 60_000;
  log('refused', { i: 5 });
  assert.deepEqual(events.slice(2), [
    ['log.omitted', { lines: 3 }],
    ['refused', { i: 5 }],
  ]);
});
