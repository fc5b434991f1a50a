/**
 * Join tokens: what a new node must be told, and nothing else: where to ask, how to know that the right cluster answers
 * (the fingerprint of its authority), and a secret that admits one node, once, for a while.
 *
 * The text is base64url of: u8 version, 32 bytes fingerprint, 16 bytes secret, u16 port (big endian), the address in ASCII.
 * Of the secret only its digest is kept where it is to be redeemed, so that the ledger admits nobody.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

export interface JoinToken {
  /** SHA-256 of the authority's certificate, hexadecimal. */
  readonly fingerprint: string;
  /** Hexadecimal. */
  readonly secret: string;
  readonly address: string;
  readonly port: number;
}

/** A token in the ledger of the node that redeems it. */
export interface TokenEntry {
  /** SHA-256 of the secret, hexadecimal. */
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** The node that it admitted. */
  readonly usedBy?: string;
}

/** The token cannot be used, and why. */
export class TokenError extends Error {
  constructor(reason: string) {
    super(`Cannot use the token: ${reason}`);
    this.name = 'TokenError';
  }
}

export const SECRET_BYTES = 16;
const PREFIX = 'mosix-';
const VERSION = 1;
const FINGERPRINT_BYTES = 32;
const AT_SECRET = 1 + FINGERPRINT_BYTES;
const AT_PORT = AT_SECRET + SECRET_BYTES;
const AT_ADDRESS = AT_PORT + 2;
/** How long a token that was used or has expired is remembered, so that it can be said which of the two it is. */
const REMEMBERED_MS = 7 * 86_400_000;

export function encodeToken({ fingerprint, secret, address, port }: JoinToken): string {
  const bytes = Buffer.concat([
    Uint8Array.of(VERSION),
    Buffer.from(fingerprint, 'hex'),
    Buffer.from(secret, 'hex'),
    Uint8Array.of(port >> 8, port & 0xff),
    Buffer.from(address, 'latin1'),
  ]);
  return PREFIX + bytes.toString('base64url');
}

/** @throws TokenError */
export function decodeToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) throw new TokenError(`a token begins with "${PREFIX}"`);
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url');
  if (bytes.length > 0 && bytes[0] !== VERSION)
    throw new TokenError(`it is of version ${bytes[0]}, this node knows version ${VERSION}`);
  const address = bytes.toString('latin1', AT_ADDRESS);
  const port = bytes.length > AT_ADDRESS ? bytes.readUInt16BE(AT_PORT) : 0;
  if (isIP(address) === 0 || port === 0) throw new TokenError('it is damaged; is all of it there?');
  return {
    fingerprint: bytes.toString('hex', 1, AT_SECRET),
    secret: bytes.toString('hex', AT_SECRET, AT_PORT),
    address,
    port,
  };
}

/** SHA-256 of a secret. Both hexadecimal. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(Buffer.from(secret, 'hex')).digest('hex');
}

/** The ledger with one more token, without those that nobody remembers. */
export function withToken(ledger: readonly TokenEntry[], entry: TokenEntry, now: number): TokenEntry[] {
  return [...ledger.filter(({ expires }) => expires + REMEMBERED_MS > now), entry];
}

/**
 * Uses a token up.
 * @param secret Hexadecimal, from a stranger.
 * @returns the ledger to be kept before anything else is done
 * @throws TokenError
 */
export function redeem(
  ledger: readonly TokenEntry[],
  { secret, node, now }: { secret: string; node: string; now: number },
): TokenEntry[] {
  const digest = Buffer.from(digestOf(secret), 'hex');
  const found = ledger.find((entry) => timingSafeEqual(Buffer.from(entry.digest, 'hex'), digest));
  if (found === undefined) throw new TokenError('this cluster has not given it out');
  if (found.usedBy !== undefined) throw new TokenError(`it has been used, by "${found.usedBy}"; get another one`);
  if (found.expires <= now)
    throw new TokenError(`it expired ${Math.ceil((now - found.expires) / 1000)} s ago; get another one`);
  return ledger.map((entry) => (entry === found ? { ...entry, usedBy: node } : entry));
}
