import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kernel } from './kernel.ts';
import { MappingQuery } from './mapping_query.ts';
import { Memory } from './memory.ts';
import { nr } from './x64/numbers.ts';

const page = 4096;

test('MappingQuery tells where a process may write', (t) => {
  using query = new MappingQuery(process.pid);
  const memory = Memory.anonymous(4 * page);
  const at = (index: number): number => memory.address + index * page;
  kernel.call(nr.mprotect, at(1), page, 1); // PROT_READ
  kernel.call(nr.munmap, at(2), page);
  if (query.writable(at(0), 1) === undefined) return t.skip('the kernel has no PROCMAP_QUERY (Linux 6.11)');
  assert.deepEqual(
    [at(0), at(0) + 100, at(1), at(2), at(3), 1].map((address) => query.writable(address, 1)),
    ['all', 'all', 'none', 'none', 'all', 'none'],
  );
  assert.deepEqual(
    [query.writable(at(0), page), query.writable(at(0), page + 1), query.writable(at(1), 2 * page + 1)],
    ['all', 'part', 'none'],
  );
});

test('MappingQuery knows nothing of a process that is not there', () => {
  using query = new MappingQuery(2 ** 22);
  assert.equal(query.writable(4096, 1), undefined);
});
