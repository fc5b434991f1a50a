import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileCache } from './file_cache.ts';

const image = (name: string): { identity: string; size: number } => ({ identity: name, size: 4096 });

test('`FileCache` keeps so many files that nobody uses, the last ones, and all that are used', () => {
  const cache = new FileCache(1 << 20, 2);
  const used = cache.use(image('used'));
  for (const name of ['a', 'b', 'c']) cache.release(cache.use(image(name)));
  assert.equal(cache.size, 2);
  assert.equal(cache.use(image('used')), used);
  const c = cache.use(image('c'));
  cache.release(c);
  assert.equal(cache.use(image('c')), c);
});
