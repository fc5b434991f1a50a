import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callWithin } from './alarm.ts';
import { call } from './gate.ts';
import { arena, scratch } from './memory.ts';
import { nr } from './x64/numbers.ts';

const EINTR = -4;
const timeAt = scratch(16);

function sleepCall(milliseconds: number): number {
  arena.write64(timeAt, Math.floor(milliseconds / 1000));
  arena.write64(timeAt + 8, (milliseconds % 1000) * 1e6);
  return call(nr.nanosleep, arena.address + timeAt, 0);
}

test('callWithin ends a call with EINTR when it blocks too long, again and again', () => {
  for (const limit of [5, 40]) {
    const start = performance.now();
    assert.equal(
      callWithin(limit, () => sleepCall(30_000)),
      EINTR,
    );
    const took = performance.now() - start;
    assert.ok(took >= limit, `it ended after ${took} ms of ${limit}`);
  }
});

test('callWithin leaves a call alone when it ends in time, and the calls after it', () => {
  assert.equal(
    callWithin(10_000, () => sleepCall(1)),
    0,
  );
  assert.equal(sleepCall(50), 0);
});
