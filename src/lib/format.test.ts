import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatBytes, formatCount, formatMilliseconds } from './format.ts';

test('formatBytes uses at most three digits and the unit that fits', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KB'],
    [4096, '4 KB'],
    [1536, '1.5 KB'],
    [1023 * 1024, '1 MB'],
    [512 * 1024 * 1024, '512 MB'],
    [3.25 * 1024 ** 4, '3.25 TB'],
    [5000 * 1024 ** 4, '5000 TB'],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});

test('formatMilliseconds chooses the unit that fits', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [0.4211, '0.42 ms'],
    [12.34, '12.3 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [65_400, '65.4 s'],
    [125_000, '2 min 5 s'],
    [3_599_800, '1 h 0 min'],
    [12_000_000, '3 h 20 min'],
  ];
  for (const [milliseconds, text] of cases) assert.equal(formatMilliseconds(milliseconds), text);
});

test('formatCount shortens thousands and millions', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [12.3, '12.3'],
    [999, '999'],
    [1500, '1.5k'],
    [2_000_000, '2M'],
  ];
  for (const [count, text] of cases) assert.equal(formatCount(count), text);
});
