/**
 * The mutual proof of the cluster's key with which every connection between nodes begins.
 *
 * Promise: nothing that the other side says is believed before it has proved that it holds the key; until then
 * at most 138 bytes are looked at (the longest hello and a proof), and a replayed or reflected conversation proves nothing. The class only turns
 * bytes into bytes, so it serves node:net sockets and raw sockets alike; deadlines are the caller's.
 *
 *     client                                server
 *       | hello: version, purpose, nonce, name |
 *       |------------------------------------->|
 *       |  hello: version, purpose, nonce, name|
 *       |<-------------------------------------|
 *       | 'P' HMAC(key, "client", both hellos) |
 *       |------------------------------------->|  the server is done
 *       |  'P' HMAC(key, "server", both hellos)|
 *       |<-------------------------------------|  the client is done
 *
 * The client proves first, so that a stranger gets no HMAC out of a server. In place of any message a side may
 * send one refusal byte and close; that is how the other side can say *why* it was turned away. A refusal is not
 * authenticated and needs not be: whoever can forge it can cut the connection as well.
 * The method is the challenge-response of RFC 2104 (HMAC) over SHA-256 in the form of ISO/IEC 9798-4, three-pass mutual.
 */
import { createHmac, randomBytes as systemRandomBytes, timingSafeEqual } from 'node:crypto';

import { isNodeName, MAX_NODE_NAME_BYTES, NODE_NAME_RULE } from '../lib/node_name.ts';

/** What the connection is for: between two mosd (`control`) or between two engines (`guest`). */
export type Purpose = 'control' | 'guest';
export type HandshakeRole = 'client' | 'server';
export type HandshakeErrorCode = 'not-authenticated' | 'version-mismatch' | 'malformed';

/** The version of everything spoken after the handshake; nodes link only with equal versions. */
export const PROTOCOL_VERSION = 1;
/** Bytes of the cluster's key. */
export const KEY_BYTES = 32;

const MAGIC = Buffer.from('MOSX', 'latin1');
const NONCE_BYTES = 32;
const PROOF_BYTES = 32;
const PROOF_MARK = 0x50; // 'P'

const ROLE_BYTE: Record<HandshakeRole, number> = { client: 0x43, server: 0x53 };
const PURPOSE_BYTE: Record<Purpose, number> = { control: 1, guest: 2 };
/** No refusal byte may equal the first byte of a hello or of a proof. */
const REFUSAL_BYTE: Record<HandshakeErrorCode, number> = {
  'not-authenticated': 0xe1,
  'version-mismatch': 0xe2,
  malformed: 0xe3,
};

/** Offsets in a hello: magic, version (u16, big endian), role, purpose, nonce, length of the name, name. */
const AT_VERSION = 4;
const AT_ROLE = 6;
const AT_PURPOSE = 7;
const AT_NONCE = 8;
const AT_NAME_LENGTH = AT_NONCE + NONCE_BYTES;
const AT_NAME = AT_NAME_LENGTH + 1;

export class HandshakeError extends Error {
  readonly code: HandshakeErrorCode;
  /** What to send before closing: our refusal byte; empty if it was the other side that refused. */
  readonly reply: Uint8Array;

  constructor(code: HandshakeErrorCode, reason: string, reply: Uint8Array) {
    super(`Cannot link with the other node: ${reason}`);
    this.name = 'HandshakeError';
    this.code = code;
    this.reply = reply;
  }
}

export interface HandshakeOptions {
  role: HandshakeRole;
  purpose: Purpose;
  /** This node's name: letters, digits, `.`, `_`, `-`; at most 64 bytes. */
  name: string;
  /** The cluster's key, 32 bytes. */
  key: Uint8Array;
  /** Default: PROTOCOL_VERSION. */
  version?: number;
  /** Default: the system's; tests inject their own. */
  randomBytes?: (count: number) => Uint8Array;
}

export interface HandshakePeer {
  name: string;
  purpose: Purpose;
  version: number;
}

export interface HandshakeStep {
  /** Bytes to send to the other side now; may be empty. */
  send: Uint8Array;
  /** Both sides have proved the key; `peer` is set. */
  done: boolean;
  /** Once done: the bytes that followed the handshake and belong to the protocol above. */
  rest: Uint8Array;
}

type State = 'hello' | 'proof' | 'done' | 'failed';

export class Handshake {
  readonly #role: HandshakeRole;
  readonly #purpose: Purpose;
  readonly #version: number;
  readonly #key: Uint8Array;
  readonly #ownHello: Buffer;
  #peerHello: Buffer = Buffer.alloc(0);
  #buffered: Buffer = Buffer.alloc(0);
  #state: State = 'hello';
  #claimed: HandshakePeer | undefined;
  #failure: HandshakeError | undefined;

  /** @throws RangeError if the name or the key cannot be used. */
  constructor(options: HandshakeOptions) {
    if (options.key.length !== KEY_BYTES)
      throw new RangeError(`Cannot use the cluster key: it has ${options.key.length} bytes instead of ${KEY_BYTES}`);
    if (!isNodeName(options.name))
      throw new RangeError(`Cannot use the node name ${JSON.stringify(options.name)}: ${NODE_NAME_RULE}`);
    this.#role = options.role;
    this.#purpose = options.purpose;
    this.#version = options.version ?? PROTOCOL_VERSION;
    this.#key = options.key;
    this.#ownHello = buildHello(options, this.#version);
  }

  /** Who the other side is; undefined until it has proved the key. */
  get peer(): HandshakePeer | undefined {
    return this.#state === 'done' ? this.#claimed : undefined;
  }

  /** The bytes to send first: the client's hello; empty for a server, which speaks only when spoken to. */
  start(): Uint8Array {
    return this.#role === 'client' ? this.#ownHello : new Uint8Array(0);
  }

  /**
   * Takes received bytes, in pieces of any size.
   * @throws HandshakeError; send its `reply`, then close. Every later call throws it again.
   */
  feed(bytes: Uint8Array): HandshakeStep {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state === 'done') return { send: new Uint8Array(0), done: true, rest: bytes };
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    const send: Uint8Array[] = [];
    while (this.#advance(send));
    const done = this.peer !== undefined;
    return { send: Buffer.concat(send), done, rest: done ? this.#take(this.#buffered.length) : new Uint8Array(0) };
  }

  /** Handles one whole message; false if there is none in the buffer or nothing more to do. */
  #advance(send: Uint8Array[]): boolean {
    if (this.#state === 'done' || this.#buffered.length === 0) return false;
    this.#checkRefusal();
    return this.#state === 'hello' ? this.#advanceHello(send) : this.#advanceProof(send);
  }

  #advanceHello(send: Uint8Array[]): boolean {
    // Checked as the bytes come in: garbage is refused at its first wrong byte, and another version before
    // anything is read whose place may differ in that version.
    const seen = this.#buffered.subarray(0, MAGIC.length);
    if (!seen.equals(MAGIC.subarray(0, seen.length))) this.#refuse('malformed', 'it does not speak the MOSIX protocol');
    if (this.#buffered.length < AT_ROLE) return false;
    const version = this.#buffered.readUInt16BE(AT_VERSION);
    if (version !== this.#version)
      this.#refuse('version-mismatch', `it speaks protocol version ${version}, this node speaks ${this.#version}`);
    if (this.#buffered.length < AT_NAME) return false;
    const nameLength = this.#buffered.readUInt8(AT_NAME_LENGTH);
    if (nameLength === 0 || nameLength > MAX_NODE_NAME_BYTES)
      this.#refuse('malformed', `it gives a name of ${nameLength} bytes`);
    if (this.#buffered.length < AT_NAME + nameLength) return false;

    this.#peerHello = this.#take(AT_NAME + nameLength);
    this.#claimed = this.#parseHello(this.#peerHello, version);
    this.#state = 'proof';
    send.push(this.#role === 'server' ? this.#ownHello : this.#proofOf('client'));
    return true;
  }

  #advanceProof(send: Uint8Array[]): boolean {
    if (this.#buffered[0] !== PROOF_MARK)
      this.#refuse('malformed', 'it sent something else than the proof of the cluster key');
    if (this.#buffered.length < 1 + PROOF_BYTES) return false;
    const expected = this.#proofOf(this.#role === 'client' ? 'server' : 'client');
    if (!timingSafeEqual(this.#take(1 + PROOF_BYTES), expected))
      this.#refuse(
        'not-authenticated',
        `the node that calls itself "${this.#claimed?.name}" does not hold this cluster's key`,
      );
    this.#state = 'done';
    if (this.#role === 'server') send.push(this.#proofOf('server'));
    return false;
  }

  /** A refusal byte may come in place of any message. */
  #checkRefusal(): void {
    const refusals = Object.entries(REFUSAL_BYTE) as [HandshakeErrorCode, number][];
    const code = refusals.find(([, byte]) => byte === this.#buffered[0])?.[0];
    if (code === undefined) return;
    const reasons: Record<HandshakeErrorCode, string> = {
      'not-authenticated': "it says that this node does not hold its cluster's key",
      'version-mismatch': `it speaks another protocol version than this node's ${this.#version}`,
      malformed: 'it could not understand what this node sent',
    };
    this.#fail(new HandshakeError(code, reasons[code], new Uint8Array(0)));
  }

  #parseHello(hello: Buffer, version: number): HandshakePeer {
    const name = hello.toString('latin1', AT_NAME);
    if (!isNodeName(name)) this.#refuse('malformed', 'its name has characters that a node name may not have');
    // Two equal roles mean that our own bytes come back (a reflection), or that two clients were joined.
    if (hello[AT_ROLE] === ROLE_BYTE[this.#role]) this.#refuse('malformed', `it is a ${this.#role}, too`);
    if (hello[AT_ROLE] !== ROLE_BYTE.client && hello[AT_ROLE] !== ROLE_BYTE.server)
      this.#refuse('malformed', 'its role is unknown');
    if (hello[AT_PURPOSE] !== PURPOSE_BYTE[this.#purpose])
      this.#refuse(
        'malformed',
        `the connection is not for ${this.#purpose} on the other side (is the right port configured?)`,
      );
    return { name, purpose: this.#purpose, version };
  }

  /** Covers both hellos whole, thus both nonces, names, purposes, versions and roles; the label keeps the two proofs apart. */
  #proofOf(role: HandshakeRole): Buffer {
    const [client, server] =
      this.#role === 'client' ? [this.#ownHello, this.#peerHello] : [this.#peerHello, this.#ownHello];
    const proof = createHmac('sha256', this.#key)
      .update(`mosix link proof of the ${role}\0`)
      .update(client)
      .update(server)
      .digest();
    return Buffer.concat([Uint8Array.of(PROOF_MARK), proof]);
  }

  #take(count: number): Buffer {
    const taken = this.#buffered.subarray(0, count);
    this.#buffered = this.#buffered.subarray(count);
    return taken;
  }

  #refuse(code: HandshakeErrorCode, reason: string): never {
    this.#fail(new HandshakeError(code, reason, Uint8Array.of(REFUSAL_BYTE[code])));
  }

  #fail(error: HandshakeError): never {
    this.#state = 'failed';
    this.#failure = error;
    this.#buffered = Buffer.alloc(0);
    throw error;
  }
}

function buildHello(options: HandshakeOptions, version: number): Buffer {
  const name = Buffer.from(options.name, 'latin1');
  const hello = Buffer.alloc(AT_NAME + name.length);
  hello.set(MAGIC, 0);
  hello.writeUInt16BE(version, AT_VERSION);
  hello[AT_ROLE] = ROLE_BYTE[options.role];
  hello[AT_PURPOSE] = PURPOSE_BYTE[options.purpose];
  hello.set((options.randomBytes ?? systemRandomBytes)(NONCE_BYTES), AT_NONCE);
  hello[AT_NAME_LENGTH] = name.length;
  hello.set(name, AT_NAME);
  return hello;
}
