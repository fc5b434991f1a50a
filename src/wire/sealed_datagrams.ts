/**
 * Gossip datagrams, encrypted and authenticated with the keys of the cluster.
 *
 *     u8 format   u8 key   u48 sender   u48 session   u32 counter   ciphertext   16 bytes tag
 *
 * The key ring comes from the cluster's charter: the first key seals, all of them open, so that a new key may take over while
 * some nodes do not have it yet; after a revocation the revoked node's keys are gone from it. A key is told by a byte of its
 * hash. Each sender derives from the ring's key one of its own for each session (HKDF, RFC 5869), which is the millisecond at
 * which it began; so a counter is nonce enough for AES-256-GCM, and no two datagrams have the same key and nonce, whatever
 * a restart forgets. The head is authenticated with the content.
 *
 * Promise: what was not sealed with a key of the ring, was changed on its way, or has been here before is refused and counted.
 * Per sender the latest session and the last 64 counters are remembered. Once a sender has been silent for a minute
 * an earlier session is taken, too, since its clock may have been set back; what is old in it is refused by what it says
 * (incarnations), which is the reason why that does not help a replay.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';

const FORMAT = 0xd1;
const AT_KEY = 1;
const AT_SENDER = 2;
const AT_SESSION = 8;
const AT_COUNTER = 14;
const HEAD_BYTES = 18;
const TAG_BYTES = 16;
/** Bytes that sealing adds. */
export const SEAL_BYTES = HEAD_BYTES + TAG_BYTES;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const MAX_COUNTER = 0xffff_ffff;
/** Counters that may arrive in any order. */
const WINDOW = 64n;
const WINDOW_MASK = (1n << WINDOW) - 1n;
/** Milliseconds of silence after which an earlier session is taken. */
const FORGET_MS = 60_000;
/** Senders and derived keys that are remembered; the longest unused goes. Larger: memory; smaller: work. */
const MOST_SENDERS = 16_384;

export type Refusal = 'plaintext' | 'unknown-key' | 'forged' | 'replayed';
export type Opened = { ok: true; sender: number; content: Uint8Array } | { ok: false; why: Refusal };

export interface SealerOptions {
  /** 32 bytes each; the first one seals. At least one. */
  keys: readonly Uint8Array[];
  /** This node's 48-bit id. */
  sender: number;
  /** Milliseconds since 1970; a later start must have a larger one. */
  session: number;
  /** Milliseconds of a steady clock. */
  now: () => number;
}

interface Track {
  session: number;
  highest: number;
  /** Bit k: the counter highest − k has been here. */
  seen: bigint;
  heard: number;
}

interface RingKey {
  readonly mark: number;
  readonly key: Uint8Array;
  /** By sender and session. */
  readonly derived: Map<string, Uint8Array>;
}

export class SealedDatagrams {
  /** How often which refusal has been made. */
  readonly refused: Record<Refusal, number> = { plaintext: 0, 'unknown-key': 0, forged: 0, replayed: 0 };
  readonly #sender: number;
  readonly #now: () => number;
  readonly #tracks = new Map<number, Track>();
  #session: number;
  #counter = 0;
  #ring: readonly RingKey[];

  constructor({ keys, sender, session, now }: SealerOptions) {
    this.#sender = sender;
    this.#session = session;
    this.#now = now;
    this.#ring = ringOf(keys, []);
  }

  /** From now on these keys; see SealerOptions. */
  use(keys: readonly Uint8Array[]): void {
    this.#ring = ringOf(keys, this.#ring);
  }

  seal(content: Uint8Array): Buffer {
    if (this.#counter === MAX_COUNTER) [this.#session, this.#counter] = [this.#session + 1, 0];
    this.#counter += 1;
    const [ringKey] = this.#ring;
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = FORMAT;
    head[AT_KEY] = ringKey.mark;
    head.writeUIntLE(this.#sender, AT_SENDER, 6);
    head.writeUIntLE(this.#session, AT_SESSION, 6);
    head.writeUInt32LE(this.#counter, AT_COUNTER);
    const cipher = createCipheriv('aes-256-gcm', derive(ringKey, head), nonceOf(head));
    cipher.setAAD(head);
    return Buffer.concat([head, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  }

  open(datagram: Uint8Array): Opened {
    const opened = this.#open(datagram);
    if (!opened.ok) this.refused[opened.why] += 1;
    return opened;
  }

  #open(datagram: Uint8Array): Opened {
    if (datagram.length < SEAL_BYTES || datagram[0] !== FORMAT) return { ok: false, why: 'plaintext' };
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
    const candidates = this.#ring.filter(({ mark }) => mark === bytes[AT_KEY]);
    if (candidates.length === 0) return { ok: false, why: 'unknown-key' };
    for (const candidate of candidates) {
      const content = decrypt(candidate, bytes);
      if (content === undefined) continue;
      const sender = bytes.readUIntLE(AT_SENDER, 6);
      const counter = bytes.readUInt32LE(AT_COUNTER);
      if (!this.#isNew(sender, bytes.readUIntLE(AT_SESSION, 6), counter)) return { ok: false, why: 'replayed' };
      return { ok: true, sender, content };
    }
    return { ok: false, why: 'forged' };
  }

  #isNew(sender: number, session: number, counter: number): boolean {
    const now = this.#now();
    const track = this.#tracks.get(sender);
    if (track === undefined || session > track.session || (session < track.session && now - track.heard > FORGET_MS)) {
      if (track === undefined && this.#tracks.size >= MOST_SENDERS) forgetOne(this.#tracks);
      this.#tracks.set(sender, { session, highest: counter, seen: 1n, heard: now });
      return true;
    }
    if (session < track.session) return false;
    if (counter > track.highest) {
      const steps = BigInt(counter - track.highest);
      track.seen = steps >= WINDOW ? 1n : ((track.seen << steps) | 1n) & WINDOW_MASK;
      track.highest = counter;
    } else {
      const bit = 1n << BigInt(track.highest - counter);
      if (bit > WINDOW_MASK || (track.seen & bit) !== 0n) return false;
      track.seen |= bit;
    }
    track.heard = now;
    return true;
  }
}

/** Keys that stay keep what was derived from them. */
function ringOf(keys: readonly Uint8Array[], before: readonly RingKey[]): RingKey[] {
  if (keys.length === 0 || keys.some(({ length }) => length !== KEY_BYTES))
    throw new RangeError(`Cannot use the keys of the gossip: there must be one at least, of ${KEY_BYTES} bytes each`);
  return keys.map((key) => {
    const known = before.find((each) => Buffer.compare(each.key, key) === 0);
    return known ?? { mark: createHash('sha256').update(key).digest()[0], key, derived: new Map() };
  });
}

function derive({ key, derived }: RingKey, head: Buffer): Uint8Array {
  const name = head.toString('latin1', AT_SENDER, AT_COUNTER);
  const known = derived.get(name);
  if (known !== undefined) return known;
  if (derived.size >= MOST_SENDERS) forgetOne(derived);
  const info = Buffer.concat([Buffer.from('mosix gossip datagram\0'), head.subarray(AT_SENDER, AT_COUNTER)]);
  const made = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), info, KEY_BYTES));
  derived.set(name, made);
  return made;
}

function nonceOf(head: Buffer): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  head.copy(nonce, 0, AT_COUNTER, AT_COUNTER + 4);
  return nonce;
}

function decrypt(ringKey: RingKey, bytes: Buffer): Uint8Array | undefined {
  const head = bytes.subarray(0, HEAD_BYTES);
  const isKnown = ringKey.derived.has(head.toString('latin1', AT_SENDER, AT_COUNTER));
  const decipher = createDecipheriv('aes-256-gcm', derive(ringKey, head), nonceOf(head), { authTagLength: TAG_BYTES });
  decipher.setAAD(head);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
  } catch {
    // Invented senders are not to push out the keys of real ones.
    if (!isKnown) ringKey.derived.delete(head.toString('latin1', AT_SENDER, AT_COUNTER));
    return undefined;
  }
}

/** The first of a map is the one that was put in first. */
function forgetOne(map: Map<unknown, unknown>): void {
  const [first] = map.keys();
  map.delete(first);
}
