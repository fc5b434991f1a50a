import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuFeatures, featuresIn } from './cpu_features.ts';

test('featuresIn tells what all CPUs have, and only what programs can use', () => {
  const cpuinfo =
    'processor : 0\nflags\t\t: fpu sse2 avx2 smep\n\nprocessor : 1\nflags\t\t: sse2 avx512f avx2\nbugs\t\t: sse3\n';
  assert.deepEqual(featuresIn(cpuinfo).toSorted(), ['avx2', 'sse2']);
  assert.deepEqual(featuresIn(''), []);
});

test('cpuFeatures tells what this machine has', () => {
  assert.ok(cpuFeatures().includes('sse2')); // part of x86-64
});
