import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuBetween, ticksOf } from './accounting.ts';

test('`ticksOf` adds user and system time when the name holds spaces and brackets', () => {
  assert.equal(ticksOf('7 (a) b) (c) S 1 7 7 0 -1 4194304 10 20 30 40 250 17 3 4 20 0 1 0 99 1 2'), 267);
});

test('`ticksOf` is zero when the process is gone', () => {
  assert.equal(ticksOf(''), 0);
});

test('`cpuBetween` never goes below zero when a daemon was started anew', () => {
  const before = { home: 2, away: 5, daemons: 1 };
  assert.deepEqual(cpuBetween(before, { home: 3, away: 4, daemons: 0 }), { home: 1, away: 0, daemons: 0 });
});
