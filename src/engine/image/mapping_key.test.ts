import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasFile, isSegment, isSegmentKey, linesOf } from './mapping_key.ts';

const segment = '7f92d48ab000-7f92d48ad000 rw-s 00000000 00:01 7                          /SYSV00001234 (deleted)';
const memory = '7f92d48a7000-7f92d48a8000 r--s 00000000 00:01 7                          /memfd:x (deleted)';
const anonymous = '7f92d48a7000-7f92d48a8000 rw-p 00000000 00:00 0 ';
const unnamed = '7f92d48a7000-7f92d48a8000 rw-p 00000000 fe:01 77';

test('linesOf tells a segment from other memory that has the same inode number', () => {
  assert.ok(linesOf(['00:01 7 SYSV 1']).test(`${anonymous}\n${segment}\n`));
  assert.ok(!linesOf(['00:01 7 SYSV 1']).test(`${anonymous}\n${memory}\n`));
  assert.ok(!linesOf(['00:01 7']).test(`${anonymous}\n${segment}\n`));
  assert.ok(linesOf(['00:01 7']).test(`${anonymous}\n${memory}\n`));
});

test('linesOf finds whole numbers only', () => {
  assert.ok(!linesOf([]).test(`${unnamed}\n`));
  assert.ok(linesOf(['fe:01 77']).test(`${unnamed}\n`));
  assert.ok(!linesOf(['fe:01 7', 'e:01 77']).test(`${unnamed}\n`));
});

test('the first segment, whose inode number is 0, has a file', () => {
  const mapping = { start: 0, end: 4096, permissions: 'rw-s', offset: 0, device: '00:01', inode: 0 };
  assert.ok(hasFile({ ...mapping, name: '/SYSV00000000 (deleted)' }));
  assert.ok(!hasFile({ ...mapping, device: '00:00', name: '' }));
  assert.ok(!isSegment({ ...mapping, device: 'fe:01', inode: 5, name: '/SYSV00000000 (deleted)' }));
  assert.ok(isSegmentKey('00:01 0 SYSV 5') && !isSegmentKey('00:01 0'));
});
