/**
 * A message as the protocol sees it: flat tables of numbers, made once and used again and again.
 *
 * The wire form is made by message_codec.ts; a simulation hands these over as they are. Members are named by the roster's
 * slots, which are the receiver's own when it reads.
 */
import type { NodeCard } from './entry.ts';

export const MESSAGE = {
  /** Some of my freshest entries, and a digest of what I lack; answered by `reply`. */
  request: 1,
  reply: 2,
  /** Answered by `ack`. */
  ping: 3,
  ack: 4,
  /** Ask the subject for me; answered by an `ack` or a `nack` with that subject. */
  pingFor: 5,
  nack: 6,
  /** News only; no answer. */
  push: 7,
  /** I know these ids, but not their names; answered by a `push` with their cards. */
  who: 8,
  /** Tell me about everybody: who joins says so, and who finds somebody again; answered by `sync`. */
  syncRequest: 9,
  sync: 10,
} as const;

export type MessageType = (typeof MESSAGE)[keyof typeof MESSAGE];

/** Most entries of a message. */
export const MAX_ENTRIES = 64;
/** Members in a digest at most. */
export const MAX_DIGEST = 128;
/** Ids of a `who`. */
export const MAX_UNKNOWN = 64;

export class Message {
  /** Where its owner keeps it; no part of the message. */
  pool = -1;
  type: number = MESSAGE.push;
  /** The sender's slot. */
  from = -1;
  /** The sender's incarnation. */
  incarnation = 0;
  /** Number of the question, returned by the answer. */
  ask = 0;
  /** Of pingFor, and of answers by way of a helper: whom it is about; else -1. */
  subject = -1;
  /** Milliseconds since 1970 when an answer was sent, by the sender's clock; 0: not said. */
  wallClock = 0;
  /** Of a sync: send yours, too. */
  wantsBack = false;

  entries = 0;
  readonly entrySlot = new Int32Array(MAX_ENTRIES);
  readonly entryIncarnation = new Uint32Array(MAX_ENTRIES);
  readonly entrySeq = new Uint32Array(MAX_ENTRIES);
  /** Milliseconds. */
  readonly entryAge = new Float64Array(MAX_ENTRIES);

  news = 0;
  newsState = new Uint8Array(32);
  newsSlot = new Int32Array(32);
  newsIncarnation = new Uint32Array(32);
  /** Who says so first: the accuser of a suspect. */
  newsFrom = new Int32Array(32);
  /** Of what was received: the card that came with it. */
  readonly newsCard: (NodeCard | undefined)[] = [];

  /** Members in the digest. */
  digestCount = 0;
  /** It is about part number digestPart of digestParts equal parts of the ring. */
  digestPart = 0;
  digestParts = 1;
  /** Milliseconds: all entries of those in it are older. */
  digestAge = 0;
  /** The lowest 16 bits of their ids. */
  readonly digest = new Uint16Array(MAX_DIGEST);

  /** Of `who`: ids; of what was received: ids that the roster does not have. */
  readonly unknown: number[] = [];

  reset(type: MessageType): this {
    this.type = type;
    this.from = -1;
    this.incarnation = 0;
    this.ask = 0;
    this.subject = -1;
    this.wallClock = 0;
    this.wantsBack = false;
    this.entries = 0;
    this.news = 0;
    this.digestCount = 0;
    if (this.unknown.length > 0) this.unknown.length = 0;
    if (this.newsCard.length > 0) this.newsCard.length = 0;
    return this;
  }

  addEntry(slot: number, incarnation: number, seq: number, age: number): void {
    const at = this.entries;
    if (at >= MAX_ENTRIES) return;
    this.entrySlot[at] = slot;
    this.entryIncarnation[at] = incarnation;
    this.entrySeq[at] = seq;
    this.entryAge[at] = age;
    this.entries = at + 1;
  }

  addNews(slot: number, state: number, incarnation: number, from: number): void {
    const at = this.news;
    if (at >= this.newsState.length) this.reserveNews(at * 2);
    this.newsSlot[at] = slot;
    this.newsState[at] = state;
    this.newsIncarnation[at] = incarnation;
    this.newsFrom[at] = from;
    this.news = at + 1;
  }

  reserveNews(count: number): void {
    if (count <= this.newsState.length) return;
    const grown = {
      state: this.newsState,
      slot: this.newsSlot,
      incarnation: this.newsIncarnation,
      from: this.newsFrom,
    };
    this.newsState = new Uint8Array(count);
    this.newsSlot = new Int32Array(count);
    this.newsIncarnation = new Uint32Array(count);
    this.newsFrom = new Int32Array(count);
    this.newsState.set(grown.state);
    this.newsSlot.set(grown.slot);
    this.newsIncarnation.set(grown.incarnation);
    this.newsFrom.set(grown.from);
  }
}
