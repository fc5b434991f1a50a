/**
 * The cluster's certificates (RFC 5280, RFC 2986): its authority (CA), a node's request, and the certificate it gets.
 *
 * They are made by pkijs, which is loaded when one is made and not before: that takes 45 ms. Whoever only checks them
 * (peer_identity.ts) needs nothing but Node. All keys are ECDSA on P-256: every TLS library has it, and it signs in 50 µs.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import type * as asn1jsModule from 'asn1js';
import type * as pkijsModule from 'pkijs';
import type { Certificate, Extension, ICryptoEngine, RelativeDistinguishedNames } from 'pkijs';

import { isNodeName } from '../../lib/node_name.ts';
import { IdentityError } from './identity_error.ts';

/** A private key (PKCS #8) and what it belongs to, both in PEM. */
export interface Credential {
  readonly key: string;
  readonly certificate: string;
}

/** From when on and how long a certificate is valid. */
export interface Term {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Days; fractions are allowed. */
  readonly days: number;
}

/** Of an authority. Its key does nothing but sign certificates and charters, and rotate-ca replaces it at any time. */
export const AUTHORITY_DAYS = 3650;
/**
 * Milliseconds that a certificate is older than it is. Larger: clocks of new nodes may be further behind; smaller: a wrong
 * clock is noticed when joining.
 */
const BACKDATED_MS = 5 * 60_000;
const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const OID = {
  organization: '2.5.4.10',
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  clientAuthentication: '1.3.6.1.5.5.7.3.2',
} as const;
/** Bits of KeyUsage as the first byte of a BIT STRING, and how many bits of it are unused. */
const KEY_USAGE = {
  digitalSignature: { bits: 0x80, unused: 7 },
  keyCertSign: { bits: 0x04, unused: 2 },
} as const;

/** Makes a new authority for a cluster: a key and a certificate that it signs itself. */
export async function createAuthority(cluster: string, { now }: Pick<Term, 'now'>): Promise<Credential> {
  const key = newKey();
  // Two authorities of one cluster live side by side for a while: OpenSSL looks them up by name.
  const name = { cluster, common: `MOSIX authority ${randomBytes(8).toString('hex')}` };
  const certificate = await certify({
    subject: name,
    issuer: name,
    publicKey: createPublicKey(key),
    signingKey: key,
    authority: true,
    term: { now, days: AUTHORITY_DAYS },
  });
  return { key: pemOf(key), certificate };
}

/** Makes a key for a node. @returns PKCS #8 in PEM */
export function createKey(): string {
  return pemOf(newKey());
}

/**
 * A certificate request of a node (PKCS #10), which proves that whoever asks holds the key.
 * @param key PKCS #8 in PEM
 * @returns base64
 */
export async function createRequest(node: string, key: string): Promise<string> {
  const { pkijs, asn1js, engine } = await library();
  const request = new pkijs.CertificationRequest();
  request.subject = distinguishedName({ pkijs, asn1js }, { common: node });
  const privateKey = createPrivateKey(key);
  request.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(derOf(createPublicKey(privateKey)));
  await request.sign(signingKeyOf(privateKey), 'SHA-256', engine);
  return Buffer.from(request.toSchema(true).toBER(false)).toString('base64');
}

export interface OpenedRequest {
  readonly node: string;
  /** See `keyFingerprint`. */
  readonly fingerprint: string;
  readonly publicKey: KeyObject;
}

/** Looks into a request and checks its proof. @throws IdentityError */
export async function openRequest(request: string): Promise<OpenedRequest> {
  const { pkijs, engine } = await library();
  try {
    const opened = pkijs.CertificationRequest.fromBER(Buffer.from(request, 'base64'));
    if (!(await opened.verify(engine))) throw new Error('its signature is wrong');
    // cast: a name in a request is text of one of several kinds, all of which have it
    const value = opened.subject.typesAndValues[0]?.value as { valueBlock?: { value?: unknown } } | undefined;
    const node = value?.valueBlock?.value;
    if (typeof node !== 'string' || !isNodeName(node)) throw new Error('it has no name of a node');
    const der = Buffer.from(opened.subjectPublicKeyInfo.toSchema().toBER(false));
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return { node, publicKey, fingerprint: fingerprintOfKey(publicKey) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new IdentityError('not-authenticated', `Cannot use the certificate request: ${reason}`, { cause: error });
  }
}

/** A node's certificate, good for both ends of a connection. @returns PEM */
export function issueCertificate(
  authority: Credential,
  subject: { cluster: string; node: string; publicKey: KeyObject },
  term: Term,
): Promise<string> {
  const issuer = nameOf(authority.certificate);
  return certify({
    subject: { cluster: subject.cluster, common: subject.node },
    issuer: { cluster: issuer.organization, common: issuer.common },
    publicKey: subject.publicKey,
    signingKey: createPrivateKey(authority.key),
    authority: false,
    term,
  });
}

/** SHA-256 of a public key (SubjectPublicKeyInfo): it names the holder of a key for as long as that has it. Hexadecimal. */
export function keyFingerprint(certificate: X509Certificate): string {
  return fingerprintOfKey(certificate.publicKey);
}

/** SHA-256 of a certificate: how a token names the authority. Hexadecimal. */
export function certificateFingerprint(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}

/** Organization (our cluster) and common name (our node) of a certificate's subject; empty where it has none. */
export function nameOf(certificate: string | X509Certificate): { organization: string; common: string } {
  const { subject } = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  // Node puts each attribute on a line and escapes line ends in values.
  const value = (type: string): string =>
    (subject ?? '')
      .split('\n')
      .find((line) => line.startsWith(`${type}=`))
      ?.slice(type.length + 1) ?? '';
  return { organization: value('O'), common: value('CN') };
}

interface Order {
  subject: Name;
  issuer: Name;
  publicKey: KeyObject;
  signingKey: KeyObject;
  authority: boolean;
  term: Term;
}

async function certify({ subject, issuer, publicKey, signingKey, authority, term }: Order): Promise<string> {
  const { pkijs, asn1js, engine } = await library();
  const certificate: Certificate = new pkijs.Certificate();
  certificate.version = 2; // that is version 3
  certificate.serialNumber = new asn1js.Integer({ valueHex: serialNumber() });
  certificate.subject = distinguishedName({ pkijs, asn1js }, subject);
  certificate.issuer = distinguishedName({ pkijs, asn1js }, issuer);
  // Whole seconds, and the short form of the year up to 2049 (RFC 5280, 4.1.2.5).
  const time = (milliseconds: number): InstanceType<typeof pkijs.Time> => {
    const value = new Date(Math.ceil(milliseconds / 1000) * 1000);
    return new pkijs.Time({
      type: value.getUTCFullYear() < 2050 ? pkijs.TimeType.UTCTime : pkijs.TimeType.GeneralizedTime,
      value,
    });
  };
  certificate.notBefore = time(term.now - BACKDATED_MS);
  certificate.notAfter = time(term.now + term.days * DAY_MS);
  certificate.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(derOf(publicKey));
  certificate.extensions = extensions({ pkijs, asn1js }, authority);
  await certificate.sign(signingKeyOf(signingKey), 'SHA-256', engine);
  return new X509Certificate(Buffer.from(certificate.toSchema(true).toBER(false))).toString();
}

function extensions({ pkijs, asn1js }: Modules, authority: boolean): Extension[] {
  const extension = (extnID: string, value: { toBER(sizeOnly?: boolean): ArrayBuffer }): Extension =>
    new pkijs.Extension({ extnID, critical: true, extnValue: value.toBER(false) });
  const { bits, unused } = authority ? KEY_USAGE.keyCertSign : KEY_USAGE.digitalSignature;
  const constraints = new pkijs.BasicConstraints(authority ? { cA: true, pathLenConstraint: 0 } : {});
  const usage = new asn1js.BitString({ valueHex: Uint8Array.of(bits).buffer, unusedBits: unused });
  const both = new pkijs.ExtKeyUsage({ keyPurposes: [OID.serverAuthentication, OID.clientAuthentication] });
  return [
    extension(OID.basicConstraints, constraints.toSchema()),
    extension(OID.keyUsage, usage),
    ...(authority ? [] : [extension(OID.extendedKeyUsage, both.toSchema())]),
  ];
}

interface Modules {
  pkijs: typeof pkijsModule;
  asn1js: typeof asn1jsModule;
}

async function library(): Promise<Modules & { engine: ICryptoEngine }> {
  const [pkijs, asn1js] = await Promise.all([import('pkijs'), import('asn1js')]);
  // cast: Node's types have more in WebCrypto than the library implements; nothing of that is used
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto }) as unknown as ICryptoEngine;
  return { pkijs, asn1js, engine };
}

interface Name {
  cluster?: string;
  common: string;
}

/** Each attribute is a part of its own: the library would make one part of all. */
function distinguishedName({ pkijs, asn1js }: Modules, { cluster, common }: Name): RelativeDistinguishedNames {
  const part = (type: string, value: string): InstanceType<typeof asn1js.Set> =>
    new asn1js.Set({
      value: [new pkijs.AttributeTypeAndValue({ type, value: new asn1js.Utf8String({ value }) }).toSchema()],
    });
  const parts = [...(cluster === undefined ? [] : [part(OID.organization, cluster)]), part(OID.commonName, common)];
  return new pkijs.RelativeDistinguishedNames({
    valueBeforeDecode: new asn1js.Sequence({ value: parts }).toBER(false),
  });
}

/** Positive and of 16 bytes (RFC 5280, 4.1.2.2). */
function serialNumber(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  return bytes;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: ALGORITHM.namedCurve }).privateKey;
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function derOf(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }));
}

function fingerprintOfKey(key: KeyObject): string {
  return createHash('sha256').update(derOf(key)).digest('hex');
}

/** For WebCrypto, which the library signs with. */
function signingKeyOf(key: KeyObject): CryptoKey {
  return key.toCryptoKey(ALGORITHM, false, ['sign']);
}
