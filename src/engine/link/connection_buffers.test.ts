import assert from 'node:assert/strict';
import { test } from 'node:test';
import { returnBuffers, takeBuffers } from './connection_buffers.ts';

const large = 3 << 20;

test('takeBuffers gives memory that was used before, without anything that was written to it', () => {
  const first = takeBuffers();
  first.out.u8.fill(1, 0, 5000);
  first.in.u8.fill(1, 0, large);
  returnBuffers(first, { out: 100, in: large });
  const second = takeBuffers();
  assert.equal(second.out.address, first.out.address);
  for (const { u8 } of [second.out, second.in]) assert.ok(u8.subarray(0, large).every((byte) => byte === 0));
});
