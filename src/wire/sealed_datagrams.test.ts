import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { SEAL_BYTES, SealedDatagrams } from './sealed_datagrams.ts';

const [one, two, three] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

function sealer(keys: readonly Uint8Array[], session = 1000, sender = 7): SealedDatagrams {
  return new SealedDatagrams({ keys, sender, session, now: () => clock });
}
let clock = 0;

test('SealedDatagrams opens what another with the key has sealed, once', () => {
  const [a, b] = [sealer([one]), sealer([one], 5, 8)];
  const datagram = a.seal(text('hello'));
  assert.equal(datagram.length, SEAL_BYTES + 5);
  assert.ok(!datagram.includes('hello'));
  const opened = b.open(datagram);
  assert.ok(opened.ok && opened.sender === 7 && Buffer.from(opened.content).toString() === 'hello');
  assert.deepEqual(b.open(datagram), { ok: false, why: 'replayed' });
  assert.equal(b.refused.replayed, 1);
});

test('SealedDatagrams refuses plaintext, other keys, and every changed byte', () => {
  const [a, b] = [sealer([one]), sealer([two], 5, 8)];
  const datagram = a.seal(text('some content'));
  assert.deepEqual(b.open(text('GET / HTTP/1.1\r\n\r\nthis is no datagram of ours')), { ok: false, why: 'plaintext' });
  const other = b.open(datagram);
  assert.ok(!other.ok && ['unknown-key', 'forged'].includes(other.why));
  const right = sealer([one], 5, 8);
  for (let at = 0; at < datagram.length; at += 1) {
    const changed = Buffer.from(datagram);
    changed[at] ^= 0x20;
    assert.equal(right.open(changed).ok, false, `byte ${at}`);
  }
  assert.equal(right.open(datagram.subarray(0, -1)).ok, false);
  assert.equal(right.open(datagram).ok, true);
});

test('SealedDatagrams takes datagrams in any order within the window, and none twice', () => {
  const [a, b] = [sealer([one]), sealer([one], 5, 8)];
  const datagrams = Array.from({ length: 200 }, (_, i) => a.seal(text(String(i))));
  const late = datagrams[100];
  for (const [i, datagram] of datagrams.entries()) {
    if (i % 2 === 0 && i !== 100) assert.equal(b.open(datagram).ok, true);
  }
  assert.deepEqual(b.open(late), { ok: false, why: 'replayed' });
  for (const [i, datagram] of datagrams.entries()) {
    if (i % 2 === 1) assert.equal(b.open(datagram).ok, i > 198 - 64, `datagram ${i}`);
  }
});

test('SealedDatagrams refuses an earlier session of a sender while that is heard of', () => {
  const [before, after, b] = [sealer([one], 1000), sealer([one], 2000), sealer([one], 5, 8)];
  const old = before.seal(text('old'));
  assert.equal(b.open(after.seal(text('new'))).ok, true);
  assert.deepEqual(b.open(old), { ok: false, why: 'replayed' });
  clock += 61_000;
  assert.equal(b.open(before.seal(text('its clock was set back'))).ok, true);
});

test('SealedDatagrams goes on while a new key takes over, and shuts out who has the old one only', () => {
  const [a, b, gone] = [sealer([one]), sealer([one], 5, 8), sealer([one], 5, 9)];
  a.use([two, one]);
  b.use([one, two]);
  assert.equal(b.open(a.seal(text('x'))).ok, true);
  assert.equal(a.open(b.seal(text('x'))).ok, true);
  a.use([three]);
  b.use([three, two]);
  assert.equal(a.open(b.seal(text('x'))).ok, true);
  assert.equal(a.open(gone.seal(text('x'))).ok, false);
  assert.equal(gone.open(a.seal(text('x'))).ok, false);
});

test('SealedDatagrams seals nothing twice alike, also after a restart', () => {
  const [a, again] = [sealer([one], 1000), sealer([one], 1001)];
  const sealed = [a, a, again].map((each) =>
    each
      .seal(text('the same'))
      .subarray(SEAL_BYTES - 16)
      .toString('hex'),
  );
  assert.equal(new Set(sealed).size, 3);
});

test('SealedDatagrams stands random bytes without growing', () => {
  const b = sealer([one], 5, 8);
  const begin = process.memoryUsage().heapUsed;
  for (let i = 0; i < 20_000; i += 1) {
    const bytes = randomBytes(40 + (i % 60));
    bytes[0] = 0xd1;
    assert.equal(b.open(bytes).ok, false);
  }
  assert.ok(process.memoryUsage().heapUsed - begin < 32 << 20);
});
