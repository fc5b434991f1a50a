/**
 * Who is at the other end of a TLS connection: judged by its certificate and this node's charter, with the reason in words
 * if it is nobody. OpenSSL checks the chain and the dates; what is ours is checked here: cluster, name, revocation.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

import { isNodeName } from '../../lib/node_name.ts';
import { certificateFingerprint, keyFingerprint, nameOf } from './certificates.ts';
import type { Charter } from './charter.ts';
import { IdentityError } from './identity_error.ts';

export interface PeerIdentity {
  /** The node's name. */
  readonly node: string;
  /** See `keyFingerprint`. */
  readonly key: string;
  /** When its certificate ends, milliseconds since 1970. */
  readonly expires: number;
}

/** What OpenSSL's verdicts mean here; see x509_vfy.h for the rest. */
const VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (is one of the clocks wrong?)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it has signed its certificate itself',
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not of this cluster's authority",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is not of this cluster's authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not of this cluster's authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not of this cluster's authority",
  INVALID_PURPOSE: 'its certificate is for something else than links between nodes',
  CERT_SIGNATURE_FAILURE: 'its certificate is forged',
};

/**
 * Judges the other side of a connection whose handshake is done (with `rejectUnauthorized: false`, so that it ends here
 * and not with an alert that says less).
 * @param now Milliseconds since 1970.
 * @throws IdentityError with the reason alone
 */
export function identify(socket: TLSSocket, charter: Charter, now: number): PeerIdentity {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw refusal('it shows no certificate');
  const error: unknown = socket.authorizationError; // a code, whatever the types say
  if (!socket.authorized && error) throw refusal(verdict(String(error instanceof Error ? error.message : error)));
  return judge(certificate, charter, now);
}

/** As `identify`, of a certificate whose chain has been checked. */
export function judge(certificate: X509Certificate, charter: Charter, now: number): PeerIdentity {
  const { organization, common } = nameOf(certificate);
  if (organization !== charter.cluster)
    throw refusal(`its certificate is of the cluster ${JSON.stringify(organization)}, not of "${charter.cluster}"`);
  if (!isNodeName(common)) throw refusal('its certificate names no node');
  if (certificate.ca) throw refusal("it shows an authority's certificate");
  const expires = certificate.validToDate.getTime();
  if (expires <= now) throw refusal('its certificate has expired');
  const key = keyFingerprint(certificate);
  if (isRevoked(key, charter)) throw refusal(`the node "${common}" has been revoked`);
  return { node: common, key, expires };
}

export function isRevoked(key: string, { revoked }: Charter): boolean {
  return revoked.some((each) => each.key === key);
}

/**
 * Whether the cluster that answers is the one of a token: its certificate must come from the authority of that fingerprint.
 * @returns the authority's certificate in PEM
 * @throws IdentityError with the reason alone
 */
export function assertPinned(socket: TLSSocket, fingerprint: string, now: number): string {
  const own = socket.getPeerX509Certificate();
  const authority = own?.issuerCertificate;
  if (own === undefined || authority === undefined) throw refusal('it does not show whom its certificate is from');
  if (certificateFingerprint(authority.toString()) !== fingerprint)
    throw refusal('the cluster that answers is not the one that the token is for');
  if (!own.verify(authority.publicKey)) throw refusal('its certificate is forged');
  if (own.validToDate.getTime() <= now) throw refusal('its certificate has expired (is the clock right?)');
  if (own.validFromDate.getTime() > now)
    throw refusal(
      `its certificate is not valid yet: the clock here is behind (${new Date(now).toISOString()}), or there it is ahead`,
    );
  return authority.toString();
}

function verdict(code: string): string {
  return VERDICTS[code] ?? `its certificate is no good (${code})`;
}

function refusal(reason: string): IdentityError {
  return new IdentityError('not-authenticated', reason);
}
