import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, medianInterval, percentile, rounded } from './statistics.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => n - index);

test('`median` is the middle value, or the mean of the two middle ones', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([9, 1, 5, 7]), 6);
});

test('`percentile` is a value of the sample', () => {
  assert.equal(percentile(upTo(100), 0.95), 95);
  assert.equal(percentile([3], 0.95), 3);
});

test('`medianInterval` takes the ranks that tables of the sign test give', () => {
  assert.deepEqual(medianInterval(upTo(15)), [4, 12]);
  assert.deepEqual(medianInterval(upTo(20)), [6, 15]);
});

test('`medianInterval` is the whole range when the sample is small', () => {
  assert.deepEqual(medianInterval(upTo(5)), [1, 5]);
});

test('`rounded` keeps three digits', () => {
  assert.deepEqual([0.123456, 12.3456, 1234.56].map(rounded), [0.123, 12.3, 1235]);
});
