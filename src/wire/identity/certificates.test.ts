import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import {
  certificateFingerprint,
  createAuthority,
  createKey,
  createRequest,
  issueCertificate,
  keyFingerprint,
  nameOf,
  openRequest,
} from './certificates.ts';
import { IdentityError } from './identity_error.ts';

const now = Date.parse('2026-03-01T12:00:00Z');

test('issueCertificate gives what OpenSSL takes for a certificate of the authority, with cluster and node in it', async () => {
  const authority = await createAuthority('lab', { now });
  const request = await openRequest(await createRequest('n1', createKey()));
  const pem = await issueCertificate(
    authority,
    { cluster: 'lab', node: request.node, publicKey: request.publicKey },
    { now, days: 90 },
  );
  const certificate = new X509Certificate(pem);
  const ca = new X509Certificate(authority.certificate);
  assert.ok(certificate.verify(ca.publicKey));
  assert.ok(certificate.checkIssued(ca));
  assert.ok(ca.ca);
  assert.ok(!certificate.ca);
  assert.deepEqual(nameOf(certificate), { organization: 'lab', common: 'n1' });
  assert.equal(keyFingerprint(certificate), request.fingerprint);
  assert.equal(certificate.validToDate.getTime(), now + 90 * 86_400_000);
  assert.ok(certificate.validFromDate.getTime() < now);
});

test('createAuthority never makes the same name or key twice', async () => {
  const [one, two] = await Promise.all([createAuthority('lab', { now }), createAuthority('lab', { now })]);
  assert.notEqual(nameOf(one.certificate).common, nameOf(two.certificate).common);
  assert.notEqual(certificateFingerprint(one.certificate), certificateFingerprint(two.certificate));
});

test('openRequest refuses a request whose key the asker does not hold, and anything else that is none', async () => {
  const request = Buffer.from(await createRequest('n1', createKey()), 'base64');
  for (let at = 0; at < request.length; at++) {
    const forged = Buffer.from(request);
    forged[at] ^= 0x01;
    // What the signature does not cover, such as the length of the whole, may change: then nothing else has.
    const outcome = await openRequest(forged.toString('base64')).catch((error: unknown) => error);
    if (outcome instanceof IdentityError) continue;
    assert.deepEqual(outcome, await openRequest(request.toString('base64')), `byte ${at}`);
  }
  for (const nonsense of ['', 'AAAA', 'none', Buffer.alloc(100_000, 0x30).toString('base64')])
    await assert.rejects(openRequest(nonsense), IdentityError);
});
