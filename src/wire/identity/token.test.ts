import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import { decodeToken, digestOf, encodeToken, redeem, TokenError, withToken, type TokenEntry } from './token.ts';

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((each) => Buffer.from(each).toString('hex'));
const secret = '5e'.repeat(16);
const ledger: TokenEntry[] = [{ digest: digestOf(secret), expires: 1000 }];

test('decodeToken gives back what encodeToken wrote', () => {
  const tokens = fc.record(
    {
      fingerprint: hex(32),
      secret: hex(16),
      address: fc.oneof(fc.ipV4(), fc.ipV6()),
      port: fc.integer({ min: 1, max: 65535 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(tokens, (token) => assert.deepEqual(decodeToken(`  ${encodeToken(token)}\n`), token)));
});

test('decodeToken says what is wrong with anything else', () => {
  const whole = encodeToken({ fingerprint: 'ab'.repeat(32), secret, address: '10.0.0.1', port: 7100 });
  assert.throws(() => decodeToken('swordfish'), /begins with "mosix-"/);
  assert.throws(() => decodeToken(`mosix-${Buffer.of(9).toString('base64url')}`), /version 9/);
  for (let length = 6; length < whole.length - 2; length++)
    assert.throws(() => decodeToken(whole.slice(0, length)), TokenError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        decodeToken(`mosix-${Buffer.from(bytes).toString('base64url')}`);
      } catch (error) {
        assert.ok(error instanceof TokenError, String(error));
      }
    }),
  );
});

test('redeem admits one node, once, in time', () => {
  const used = redeem(ledger, { secret, node: 'n2', now: 999 });
  assert.equal(used[0].usedBy, 'n2');
  assert.throws(() => redeem(used, { secret, node: 'n3', now: 999 }), /has been used, by "n2"/);
  assert.throws(() => redeem(ledger, { secret, node: 'n3', now: 3500 }), /expired 3 s ago/);
  assert.throws(() => redeem(ledger, { secret: '00'.repeat(16), node: 'n3', now: 1 }), /has not given it out/);
  assert.throws(() => redeem(ledger, { secret: 'no hex', node: 'n3', now: 1 }), TokenError);
});

test('withToken forgets tokens that expired long ago', () => {
  const entry = { digest: digestOf('00'), expires: 9e9 };
  assert.deepEqual(withToken(ledger, entry, 2000), [...ledger, entry]);
  assert.deepEqual(withToken(ledger, entry, 9e9), [entry]);
});
