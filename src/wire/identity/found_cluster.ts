/** The first node of a cluster, and the admission of others: certificates and charters, made from what is handed in. */
import { X509Certificate } from 'node:crypto';

import type { PeerConfig } from '../../lib/places.ts';
import {
  createAuthority,
  createKey,
  createRequest,
  issueCertificate,
  keyFingerprint,
  openRequest,
  type Credential,
} from './certificates.ts';
import { DEFAULT_SETTINGS, newGossipKey, signCharter, type Charter, type Member, type Settings } from './charter.ts';
import { IdentityError } from './identity_error.ts';
import type { Identity } from './identity_store.ts';

export interface Founding {
  readonly cluster: string;
  readonly place: PeerConfig;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly settings?: Partial<Settings>;
}

/** Makes a cluster of one node, which holds the authority. */
export async function foundCluster({
  cluster,
  place,
  now,
  settings,
}: Founding): Promise<{ identity: Identity; authority: Credential }> {
  const authority = await createAuthority(cluster, { now });
  const key = createKey();
  const { publicKey, fingerprint } = await openRequest(await createRequest(place.name, key));
  const charter: Charter = {
    cluster,
    version: 1,
    authorities: [authority.certificate],
    issuer: place.name,
    nodes: [{ ...placeOf(place), key: fingerprint }],
    revoked: [],
    settings: { ...DEFAULT_SETTINGS, ...settings },
    gossipKeys: [newGossipKey()],
  };
  const term = { now, days: charter.settings.certificateDays };
  const certificate = await issueCertificate(authority, { cluster, node: place.name, publicKey }, term);
  return { identity: { key, certificate, charter, signed: signCharter(charter, [authority]) }, authority };
}

export interface Admission {
  readonly authority: Credential;
  readonly charter: Charter;
  /** See `createRequest`. */
  readonly request: string;
  readonly place: PeerConfig;
  readonly now: number;
}

/**
 * Admits a node. The charter that it returns has yet to be signed.
 * @throws IdentityError
 */
export async function admit({
  authority,
  charter,
  request,
  place,
  now,
}: Admission): Promise<{ certificate: string; charter: Charter }> {
  const { node, publicKey, fingerprint } = await openRequest(request);
  if (node !== place.name) throw new IdentityError('failed', `the request is of "${node}", not of "${place.name}"`);
  assertNew(place, charter);
  const term = { now, days: charter.settings.certificateDays };
  const certificate = await issueCertificate(authority, { cluster: charter.cluster, node, publicKey }, term);
  const nodes = [...charter.nodes, { ...placeOf(place), key: fingerprint }];
  return { certificate, charter: { ...charter, version: charter.version + 1, nodes } };
}

/**
 * A new certificate for a node that has one. Its key stays.
 * @param known Fingerprint of the key that the node has shown
 * @throws IdentityError
 */
export async function renew(
  { authority, charter, request, now }: Omit<Admission, 'place'>,
  known: { node: string; key: string },
): Promise<string> {
  const { node, publicKey, fingerprint } = await openRequest(request);
  if (node !== known.node || fingerprint !== known.key)
    throw new IdentityError('not-authenticated', `the request is not of "${known.node}" and its key`);
  const term = { now, days: charter.settings.certificateDays };
  return issueCertificate(authority, { cluster: charter.cluster, node, publicKey }, term);
}

/** The charter without a node, whose key is believed no more. The gossip gets a new key, which that node does not learn. */
export function withoutNode(charter: Charter, name: string, now: number): Charter {
  const gone = charter.nodes.filter((node) => node.name === name);
  return {
    ...charter,
    version: charter.version + 1,
    nodes: charter.nodes.filter((node) => node.name !== name),
    revoked: [...charter.revoked, ...gone.map(({ key }) => ({ node: name, key, at: now }))],
    gossipKeys: [newGossipKey()],
  };
}

/** When a node's certificate is due: it has lived two thirds of its time, or comes from an authority that goes. */
export function isDue(pem: string, { authorities }: Charter, now: number): boolean {
  const certificate = new X509Certificate(pem);
  const from = certificate.validFromDate.getTime();
  const until = certificate.validToDate.getTime();
  return now >= from + ((until - from) * 2) / 3 || !certificate.verify(new X509Certificate(authorities[0]).publicKey);
}

/** The chain that a node shows: its certificate, and the authority's, so that one who joins can see whom it is from. */
export function chainOf({ certificate, charter }: Pick<Identity, 'certificate' | 'charter'>): string {
  const own = new X509Certificate(certificate);
  const issuer = charter.authorities.find((pem) => own.verify(new X509Certificate(pem).publicKey));
  return certificate + (issuer ?? '');
}

/** See Member. */
export function keyOf(certificate: string): string {
  return keyFingerprint(new X509Certificate(certificate));
}

function assertNew(place: PeerConfig, { nodes }: Charter): void {
  const same = nodes.find(({ name }) => name === place.name);
  if (same !== undefined)
    throw new IdentityError(
      'failed',
      `there is a node "${place.name}" already, at ${same.address}; if it is gone for good: mosix revoke ${place.name}`,
    );
  const there = nodes.find(({ address, port }) => address === place.address && port === place.port);
  if (there !== undefined)
    throw new IdentityError('failed', `"${there.name}" is at ${place.address} port ${place.port} already`);
}

function placeOf({ name, address, port, guestPort }: PeerConfig): Omit<Member, 'key'> {
  return { name, address, port, guestPort };
}
