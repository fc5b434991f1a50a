import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAuthority } from './certificates.ts';
import {
  DEFAULT_SETTINGS,
  newGossipKey,
  openCharter,
  replaces,
  signCharter,
  type Charter,
  type SignedCharter,
} from './charter.ts';
import { IdentityError } from './identity_error.ts';

const authority = await createAuthority('lab', { now: Date.now() });
const next = await createAuthority('lab', { now: Date.now() });
const charter: Charter = {
  cluster: 'lab',
  version: 3,
  authorities: [authority.certificate],
  issuer: 'n1',
  nodes: [{ name: 'n1', address: '10.0.0.1', port: 7100, guestPort: 7101, key: 'ab'.repeat(32) }],
  revoked: [{ node: 'n2', key: 'cd'.repeat(32), at: 1 }],
  settings: DEFAULT_SETTINGS,
  gossipKeys: [newGossipKey()],
};

test('openCharter gives back what the authority has signed', () => {
  assert.deepEqual(openCharter(signCharter(charter, [authority]), [authority.certificate]), charter);
});

test('openCharter refuses what no trusted authority has signed, and what was changed since', () => {
  const signed = signCharter(charter, [authority]);
  assert.throws(() => openCharter(signed, [next.certificate]), /no authority of this cluster has signed it/);
  assert.throws(() => openCharter(signed, []), IdentityError);
  const changed = { ...signed, text: signed.text.replace('"version":3', '"version":4') };
  assert.throws(() => openCharter(changed, [authority.certificate]), /no authority of this cluster has signed it/);
  const unsigned = { ...signed, signatures: [] };
  assert.throws(() => openCharter(unsigned, [authority.certificate]), IdentityError);
});

test('openCharter takes a charter that replaces the authority from those who know one of the two', () => {
  const both = signCharter({ ...charter, authorities: [next.certificate, authority.certificate] }, [next, authority]);
  for (const trusted of [authority, next])
    assert.equal(openCharter(both, [trusted.certificate]).authorities[0], next.certificate);
});

test('openCharter passes over what a newer version has added, and refuses what does not fit', () => {
  const signedText = (value: object): SignedCharter => signCharter(value as Charter, [authority]); // cast: on purpose
  assert.deepEqual(openCharter(signedText({ ...charter, colour: 'blue' }), [authority.certificate]), charter);
  for (const wrong of [
    { ...charter, version: 0 },
    { ...charter, authorities: [] },
    { ...charter, nodes: [{ name: 'a b' }] },
    { ...charter, settings: { ...DEFAULT_SETTINGS, guestLinks: 'maybe' } },
    { ...charter, gossipKeys: ['c2hvcnQ='] },
    [],
  ])
    assert.throws(() => openCharter(signedText(wrong), [authority.certificate]), IdentityError);
  for (const nonsense of [undefined, null, 3, 'x', {}, { text: 5, signatures: [] }])
    assert.throws(() => openCharter(nonsense, [authority.certificate]), IdentityError);
});

test('replaces is true of a newer charter of the same cluster only', () => {
  assert.ok(replaces({ ...charter, version: 4 }, charter));
  assert.ok(!replaces(charter, charter));
  assert.ok(!replaces({ ...charter, version: 4, cluster: 'other' }, charter));
});
