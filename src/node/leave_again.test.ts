import assert from 'node:assert/strict';
import test from 'node:test';
import { LeaveAgain } from './leave_again.ts';

test('LeaveAgain doubles the rest of a process that comes home again and again, up to a minute', () => {
  let now = 0;
  const again = new LeaveAgain<object>(() => now);
  const one = {};
  const rests = Array.from({ length: 10 }, () => {
    const rest = again.rest(one);
    now += rest + 100;
    return rest;
  });
  assert.deepEqual(rests, [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(again.rest({}), 250);
});

test('LeaveAgain begins anew when the process has stayed away for long', () => {
  let now = 0;
  const again = new LeaveAgain<object>(() => now);
  const one = {};
  again.rest(one);
  now += 250 + 1000;
  assert.equal(again.rest(one), 500);
  now += 500 + 20 * 500 + 1;
  assert.equal(again.rest(one), 250);
});
