import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberOf } from '../../sys/syscalls.ts';
import { millisecondsLeft, readTime, timeoutOf, timeStruct } from './timed_waits.ts';

const address = 0x7fff0000n;
const none = 0n;

function timeout(name: string, ...args: (bigint | number)[]): unknown {
  return timeoutOf(
    numberOf(name),
    Array.from({ length: 6 }, (_, i) => BigInt(args[i] ?? 0)),
  );
}

test('`timeoutOf` finds a time-out in milliseconds, and none when it is negative', () => {
  assert.deepEqual(timeout('poll', address, 1, 250), { kind: 'milliseconds', argument: 2, milliseconds: 250 });
  assert.deepEqual(timeout('epoll_wait', 3, address, 1, 0), { kind: 'milliseconds', argument: 3, milliseconds: 0 });
  assert.equal(timeout('poll', address, 1, 0xffffffffn), undefined);
});

test('`timeoutOf` finds a timespec, and none behind a null pointer', () => {
  assert.deepEqual(timeout('semtimedop', 1, address, 1, address), { kind: 'timespec', argument: 3 });
  assert.equal(timeout('semtimedop', 1, address, 1, none), undefined);
});

test('`timeoutOf` leaves points in time alone', () => {
  const FUTEX_WAIT_PRIVATE = 128;
  const FUTEX_WAIT_BITSET_PRIVATE = 128 + 9;
  assert.deepEqual(timeout('futex', address, FUTEX_WAIT_PRIVATE, 0, address), { kind: 'timespec', argument: 3 });
  assert.equal(timeout('futex', address, FUTEX_WAIT_BITSET_PRIVATE, 0, address), undefined);
  assert.deepEqual(timeout('clock_nanosleep', 1, 0, address, none), { kind: 'timespec', argument: 2 });
  assert.equal(timeout('clock_nanosleep', 1, 1, address, none), undefined);
});

test('`timeoutOf` knows which time-outs the kernel counts down in the program', () => {
  assert.deepEqual(timeout('select', 4, 0, 0, 0, address), { kind: 'counted', argument: 4, fraction: 1000 });
  assert.deepEqual(timeout('ppoll', address, 1, address), { kind: 'counted', argument: 2, fraction: 1 });
  assert.deepEqual(timeout('nanosleep', address, address), { kind: 'counted', argument: 0, fraction: 1 });
  assert.deepEqual(timeout('nanosleep', address, address + 16n), { kind: 'timespec', argument: 0 });
});

test('`timeStruct` rounds up to its unit, never below nothing, and `readTime` reads it back', () => {
  for (const nanoseconds of [0n, 1n, 999_999_999n, 1_000_000_000n, 123_456_789_012n])
    assert.equal(readTime(timeStruct(nanoseconds)), nanoseconds);
  assert.equal(readTime(timeStruct(1_500_000_001n, 1000), 1000), 1_500_001_000n);
  assert.equal(readTime(timeStruct(999_999_999n, 1000), 1000), 1_000_000_000n);
  assert.equal(readTime(timeStruct(-5n)), 0n);
});

test('`millisecondsLeft` never lets a wait end early', () => {
  assert.equal(millisecondsLeft(10, 1n), 10);
  assert.equal(millisecondsLeft(10, 1_000_001n), 9);
  assert.equal(millisecondsLeft(10, 11_000_000n), 0);
});
