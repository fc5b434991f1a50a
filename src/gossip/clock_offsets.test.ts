import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClockOffsets } from './clock_offsets.ts';

test('ClockOffsets takes the median of what the quickest answers say, its own clock with them', () => {
  const clocks = new ClockOffsets();
  assert.equal(clocks.ownMs, 0);
  clocks.note(1, 1, 40);
  clocks.note(1, 30, 900);
  clocks.note(2, 1, 44);
  clocks.note(3, 1, 50_000);
  // Of 0 (its own), 40, 44 and one that is far off: the others are ahead by 42.
  assert.equal(clocks.ownMs, -42);
  clocks.forget(3);
  assert.equal(clocks.ownMs, -40);
});
