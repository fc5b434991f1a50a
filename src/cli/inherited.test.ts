import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseInherited } from './inherited.ts';

test('parseInherited reads what the launcher notes', () => {
  assert.deepEqual(parseInherited('ignored=0000000000001003 nofile=1024 fds=0,1,2,63,'), {
    ignoredSignals: 0x1003n,
    openFiles: 1024n,
    descriptors: [0, 1, 2, 63],
  });
  assert.equal(parseInherited('ignored= nofile=unlimited fds=').openFiles, 0xffff_ffff_ffff_ffffn);
});

test('parseInherited takes nothing from what it does not understand', () => {
  for (const text of ['', 'nonsense', 'ignored=zz nofile=-1', '=== = =']) {
    assert.deepEqual(parseInherited(text), { ignoredSignals: 0n, openFiles: undefined, descriptors: undefined }, text);
  }
  assert.deepEqual(parseInherited('fds=a,-1,99999999999,5').descriptors, [5]);
});
