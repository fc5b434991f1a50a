/**
 * The charter: what the whole cluster agrees on, signed by its authority. It names the authorities, the nodes, who has been
 * revoked, the settings, and the keys of the gossip.
 *
 * Every node keeps the newest one it has seen and hands it to whoever has an older one, so that a change reaches all nodes
 * whoever is up. Only who holds an authority's key can make one: no node, however it behaves, can revoke another.
 * It contains secrets (`gossipKeys`): it is sent over authenticated links only, and kept readable by its owner only.
 *
 * A charter is signed by the first of its authorities and, while one replaces another, by both, so that it is believed
 * by those who know only the old one. Signatures are ECDSA with SHA-256 over the text as it stands.
 */
import { createHash, createPrivateKey, randomBytes, sign, verify, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as v from 'valibot';

import { isNodeName } from '../../lib/node_name.ts';
import type { PeerConfig } from '../../lib/places.ts';
import { certificateFingerprint, type Credential } from './certificates.ts';
import { IdentityError } from './identity_error.ts';

export interface Member extends PeerConfig {
  /** Of its public key: see `keyFingerprint`. */
  readonly key: string;
}

export interface Revocation {
  readonly node: string;
  /** See `keyFingerprint`. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Settings {
  /** Whether the payload of guest links is encrypted; they are authenticated in any case. No engine encrypts yet. */
  readonly guestLinks: 'encrypted' | 'clear';
  /** `shared`: a user is the same on all nodes if name and id are. `separate`: users are known at home only. */
  readonly users: 'shared' | 'separate';
  /** Days that a node's certificate is valid. Larger: a node may be away for longer; smaller: a stolen key serves less long. */
  readonly certificateDays: number;
}

export interface Charter {
  /** The cluster's name. */
  readonly cluster: string;
  /** Grows by one with each change. */
  readonly version: number;
  /** Certificates in PEM; the first one signs, the others are still trusted. */
  readonly authorities: readonly string[];
  /** The node that holds the authority's key: new and renewed certificates come from it. */
  readonly issuer: string;
  readonly nodes: readonly Member[];
  readonly revoked: readonly Revocation[];
  readonly settings: Settings;
  /** For gossip datagrams, 32 bytes in base64 each: the first one encrypts, all of them decrypt. */
  readonly gossipKeys: readonly string[];
}

/** A charter as it travels. */
export interface SignedCharter {
  /** The charter in JSON. */
  readonly text: string;
  readonly signatures: readonly { readonly authority: string; readonly signature: string }[];
}

export const DEFAULT_SETTINGS: Settings = { guestLinks: 'clear', users: 'separate', certificateDays: 90 };
const GOSSIP_KEY_BYTES = 32;
/** Bytes of a charter: that of a cluster of some ten thousand nodes. */
export const MAX_CHARTER_BYTES = 4 * 1024 * 1024;

export function newGossipKey(): string {
  return randomBytes(GOSSIP_KEY_BYTES).toString('base64');
}

/** @param authorities Those that are held; the first one must be the charter's first. */
export function signCharter(charter: Charter, authorities: readonly Credential[]): SignedCharter {
  const text = JSON.stringify(charter);
  const signatures = authorities.map(({ key, certificate }) => ({
    authority: certificateFingerprint(certificate),
    signature: sign('sha256', Buffer.from(text), createPrivateKey(key)).toString('base64'),
  }));
  return { text, signatures };
}

/**
 * Checks and reads a charter.
 * @param trusted Certificates of authorities in PEM; one of them must have signed it.
 * @throws IdentityError
 */
export function openCharter(signed: unknown, trusted: readonly string[]): Charter {
  const { text, signatures } = parse(signedSchema, signed);
  if (!isSigned(text, signatures, trusted))
    throw new IdentityError('not-authenticated', 'Cannot take the charter: no authority of this cluster has signed it');
  return readCharter(text);
}

/** Whether a charter replaces the one that a node has. */
export function replaces(offered: Charter, present: Charter): boolean {
  return offered.cluster === present.cluster && offered.version > present.version;
}

/** How a charter is told from others in a few bytes. */
export function charterDigest({ text }: SignedCharter): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const short = v.pipe(v.string(), v.maxLength(4096));
const name = v.pipe(v.string(), v.check(isNodeName, 'it is no name of a node'));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const address = v.pipe(
  v.string(),
  v.check((text) => isIP(text) !== 0, 'it is no address'),
);
const signedSchema = v.object({
  text: v.pipe(v.string(), v.maxLength(MAX_CHARTER_BYTES)),
  signatures: v.pipe(v.array(v.object({ authority: digest, signature: short })), v.maxLength(4)),
});
/** A newer version may have more in it: what is not known is passed over. */
const charterSchema = v.object({
  cluster: name,
  version: v.pipe(count, v.minValue(1)),
  authorities: v.pipe(v.array(short), v.minLength(1), v.maxLength(4)),
  issuer: name,
  nodes: v.array(v.object({ name, address, port, guestPort: port, key: digest })),
  revoked: v.array(v.object({ node: name, key: digest, at: v.number() })),
  settings: v.object({
    guestLinks: v.picklist(['encrypted', 'clear']),
    users: v.picklist(['shared', 'separate']),
    certificateDays: v.pipe(v.number(), v.gtValue(0), v.maxValue(3650)),
  }),
  gossipKeys: v.pipe(v.array(v.pipe(v.string(), v.base64(), v.length(44))), v.minLength(1), v.maxLength(8)),
});

function parse<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'it';
  throw new IdentityError('not-authenticated', `Cannot take the charter: ${where}: ${issue.message}`);
}

function isSigned(text: string, signatures: SignedCharter['signatures'], trusted: readonly string[]): boolean {
  return trusted.some((pem) => {
    const fingerprint = certificateFingerprint(pem);
    const { publicKey } = new X509Certificate(pem);
    return signatures.some(
      ({ authority, signature }) =>
        authority === fingerprint && verify('sha256', Buffer.from(text), publicKey, Buffer.from(signature, 'base64')),
    );
  });
}

function readCharter(text: string): Charter {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new IdentityError('not-authenticated', 'Cannot take the charter: it is not JSON', { cause: error });
  }
  return parse(charterSchema, value);
}
