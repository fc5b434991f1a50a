/**
 * Messages as bytes: a head, then sections, each with its tag and length; what a reader does not know it skips.
 *
 *     u8 version   u8 type   u48 sender   u32 incarnation   varint ask
 *     section: u8 tag   varint length   …
 *     news and entries are items, each with its length (varint), so that they may grow at their end
 *
 * The version is raised only when a reader of before would misunderstand and not just miss something. Promise of the
 * reader: it looks at nothing beyond the message, keeps nothing of one that it refuses but names and addresses of members
 * (at most as many as the roster takes), and never throws.
 */
import { isNodeName } from '../lib/node_name.ts';
import { ByteReader, type ByteWriter } from './bytes.ts';
import type { NodeCard } from './entry.ts';
import { MAX_ENTRY_BYTES } from './entry_codec.ts';
import { STATE } from './member_state.ts';
import { MAX_DIGEST, MAX_ENTRIES, MAX_UNKNOWN, MESSAGE, type Message } from './message.ts';
import type { Roster } from './roster.ts';

export const GOSSIP_VERSION = 1;
/** Bytes of a datagram's content: sealed it has 1400, and with the headers of IPv6 and UDP it fits an Ethernet frame. */
export const MAX_DATAGRAM = 1366;
/** Bytes of the longest message, which goes over TCP: all that is known of 16,384 members with long names. */
export const MAX_MESSAGE = 2 << 20;

const SECTION = { subject: 1, wallClock: 2, wantsBack: 3, news: 4, digest: 5, unknown: 6, entries: 7 } as const;
const ID_BYTES = 6;
const HEAD_BYTES = 2 + ID_BYTES + 4;
const NEWS_BYTES = 1 + ID_BYTES + 4 + ID_BYTES;
const ENTRY_HEAD_BYTES = ID_BYTES + 4 + 4;
/** Bytes for tag and length of a section, at most. */
const SECTION_HEAD = 4;
const IP_ADDRESS = /^[0-9a-fA-F:.]{2,45}$/;

export interface EncodeOptions {
  roster: Roster;
  /** The encoded entry of a slot. */
  contentOf: (slot: number) => Uint8Array | undefined;
}

/** @returns the message's bytes, a view that holds until the next call; entries that do not fit a datagram are left out */
export function encodeMessage(message: Message, { roster, contentOf }: EncodeOptions, writer: ByteWriter): Uint8Array {
  const id = (slot: number): void => writer.fixed(slot < 0 ? 0 : roster.id(slot), ID_BYTES);
  writer.at = 0;
  writer.byte(GOSSIP_VERSION);
  writer.byte(message.type);
  id(message.from);
  writer.fixed(message.incarnation, 4);
  writer.varint(message.ask);
  if (message.subject >= 0) section(writer, SECTION.subject, () => id(message.subject));
  if (message.wallClock > 0) section(writer, SECTION.wallClock, () => writer.fixed(message.wallClock, ID_BYTES));
  if (message.wantsBack) section(writer, SECTION.wantsBack, () => {});
  if (message.digestCount > 0) section(writer, SECTION.digest, () => encodeDigest(message, writer));
  if (message.unknown.length > 0) {
    section(writer, SECTION.unknown, () => message.unknown.forEach((each) => writer.fixed(each, ID_BYTES)));
  }
  if (message.news > 0) section(writer, SECTION.news, () => encodeNews(message, roster, writer));
  if (message.entries > 0) {
    section(writer, SECTION.entries, () => {
      for (let row = 0; row < message.entries; row += 1) {
        const content = contentOf(message.entrySlot[row]);
        if (content === undefined) continue;
        if (writer.at + ENTRY_HEAD_BYTES + 8 + content.length + SECTION_HEAD > MAX_DATAGRAM) return;
        encodeEntryRow(message, row, { id, content, writer });
      }
    });
  }
  return writer.written;
}

/** What is wrong with a message, or who sent it. */
export type Decoded = { ok: true; sender: number } | { ok: false; why: string };

export interface DecodeOptions {
  roster: Roster;
  /** Called for each entry with its row; the bytes are a view. @returns whether it can be used */
  content: (row: number, bytes: Uint8Array) => boolean;
}

/** Reads a message into `message`, all of it or nothing that counts. */
export function decodeMessage(bytes: Uint8Array, message: Message, options: DecodeOptions): Decoded {
  const reader = new ByteReader(bytes);
  message.reset(MESSAGE.push);
  const version = reader.byte();
  if (version !== GOSSIP_VERSION) return { ok: false, why: `it is of version ${version}` };
  message.type = reader.byte();
  const sender = reader.fixed(ID_BYTES);
  message.incarnation = reader.fixed(4);
  message.ask = reader.varint();
  while (reader.left > 0 && !reader.failed) decodeSection(reader, message, options);
  if (reader.failed) return { ok: false, why: 'it is cut off or malformed' };
  message.from = options.roster.slotOf(sender);
  return { ok: true, sender };
}

/** Bytes of a message as it would be sent, without making them; for simulations. */
export function messageBytes(
  message: Message,
  { entryBytes, cardBytes }: { entryBytes: number; cardBytes: number },
): number {
  let sum = HEAD_BYTES + varintBytes(message.ask);
  if (message.subject >= 0) sum += 2 + ID_BYTES;
  if (message.wallClock > 0) sum += 2 + ID_BYTES;
  if (message.wantsBack) sum += 2;
  if (message.digestCount > 0) {
    sum += sized(1 + varintBytes(message.digestPart) + varintBytes(message.digestAge) + message.digestCount * 2);
  }
  if (message.unknown.length > 0) sum += sized(message.unknown.length * ID_BYTES);
  if (message.news > 0) {
    let news = 0;
    for (let row = 0; row < message.news; row += 1) {
      news += 1 + NEWS_BYTES + (message.newsState[row] === STATE.alive || isList(message) ? cardBytes : 0);
    }
    sum += sized(news);
  }
  if (message.entries > 0) {
    let entries = 0;
    for (let row = 0; row < message.entries; row += 1) {
      entries += 1 + ENTRY_HEAD_BYTES + varintBytes(message.entryAge[row]) + entryBytes;
    }
    sum += sized(entries);
  }
  return sum;
}

/** A list of members with their cards, whatever their state. */
function isList(message: Message): boolean {
  return message.type === MESSAGE.sync;
}

function sized(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = Math.round(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** Writes the section, then puts its length before it. */
function section(writer: ByteWriter, tag: number, write: () => void): void {
  writer.byte(tag);
  const at = writer.at;
  write();
  const length = writer.at - at;
  const head = varintBytes(length);
  writer.bytes.copyWithin(at + head, at, at + length);
  writer.at = at;
  writer.varint(length);
  writer.at += length;
}

function encodeDigest(message: Message, writer: ByteWriter): void {
  writer.byte(Math.log2(message.digestParts));
  writer.varint(message.digestPart);
  writer.varint(message.digestAge);
  for (let i = 0; i < message.digestCount; i += 1) writer.fixed(message.digest[i], 2);
}

function encodeNews(message: Message, roster: Roster, writer: ByteWriter): void {
  for (let row = 0; row < message.news; row += 1) {
    const slot = message.newsSlot[row];
    const state = message.newsState[row];
    const card = state === STATE.alive || isList(message) ? roster.card(slot) : undefined;
    writer.varint(NEWS_BYTES + (card === undefined ? 0 : cardLength(card)));
    writer.byte(state);
    writer.fixed(roster.id(slot), ID_BYTES);
    writer.fixed(message.newsIncarnation[row], 4);
    const from = message.newsFrom[row];
    writer.fixed(from < 0 ? 0 : roster.id(from), ID_BYTES);
    if (card === undefined) continue;
    writer.text(card.name);
    writer.text(card.address);
    writer.fixed(card.port, 2);
    writer.fixed(card.guestPort, 2);
  }
}

/** Bytes of a card on the wire. */
export function cardLength({ name, address }: NodeCard): number {
  return 2 + name.length + address.length + 4;
}

interface EntryParts {
  id: (slot: number) => void;
  content: Uint8Array;
  writer: ByteWriter;
}

function encodeEntryRow(message: Message, row: number, { id, content, writer }: EntryParts): void {
  const age = message.entryAge[row];
  writer.varint(ENTRY_HEAD_BYTES + varintBytes(age) + content.length);
  id(message.entrySlot[row]);
  writer.fixed(message.entryIncarnation[row], 4);
  writer.fixed(message.entrySeq[row], 4);
  writer.varint(age);
  writer.raw(content);
}

function decodeSection(reader: ByteReader, message: Message, options: DecodeOptions): void {
  const tag = reader.byte();
  const length = reader.varint();
  const end = reader.at + length;
  if (length > reader.left) {
    reader.skipTo(-1);
    return;
  }
  const whole = reader.end;
  reader.end = end;
  switch (tag) {
    case SECTION.subject:
      message.subject = options.roster.slotOf(reader.fixed(ID_BYTES));
      break;
    case SECTION.wallClock:
      message.wallClock = reader.fixed(ID_BYTES);
      break;
    case SECTION.wantsBack:
      message.wantsBack = true;
      break;
    case SECTION.digest:
      decodeDigest(reader, message);
      break;
    case SECTION.unknown:
      while (reader.left >= ID_BYTES && message.unknown.length < MAX_UNKNOWN)
        message.unknown.push(reader.fixed(ID_BYTES));
      break;
    case SECTION.news:
      while (reader.left > 0) decodeNews(reader, message, options.roster);
      break;
    case SECTION.entries:
      while (reader.left > 0 && message.entries < MAX_ENTRIES) decodeEntryRow(reader, message, options);
      break;
    default:
    // A later version's.
  }
  reader.end = whole;
  if (!reader.failed) reader.skipTo(end);
}

function decodeDigest(reader: ByteReader, message: Message): void {
  const parts = reader.byte();
  const part = reader.varint();
  const age = reader.varint();
  const count = Math.floor(reader.left / 2);
  if (parts > 16 || part >= 2 ** parts || count > MAX_DIGEST) {
    reader.skipTo(-1);
    return;
  }
  message.digestParts = 2 ** parts;
  message.digestPart = part;
  message.digestAge = age;
  message.digestCount = count;
  for (let i = 0; i < count; i += 1) message.digest[i] = reader.fixed(2);
}

function decodeNews(reader: ByteReader, message: Message, roster: Roster): void {
  const length = reader.varint();
  const end = reader.at + length;
  if (length < NEWS_BYTES || length > reader.left) {
    reader.skipTo(-1);
    return;
  }
  const state = reader.byte();
  const id = reader.fixed(ID_BYTES);
  const incarnation = reader.fixed(4);
  const from = roster.slotOf(reader.fixed(ID_BYTES));
  const card = reader.at < end ? decodeCard(reader, end) : undefined;
  if (!reader.failed) reader.skipTo(end);
  let slot = roster.slotOf(id);
  if (slot < 0 && card !== undefined) {
    slot = roster.add(card);
    // A card that does not belong to the id would be found under another one.
    if (slot >= 0 && roster.id(slot) !== id) slot = -1;
  }
  if (slot < 0) {
    if (message.unknown.length < MAX_UNKNOWN) message.unknown.push(id);
    return;
  }
  if (state < STATE.alive || state > STATE.left) return;
  message.newsCard[message.news] = card?.name === roster.card(slot).name ? card : undefined;
  message.addNews(slot, state, incarnation, from);
}

function decodeCard(reader: ByteReader, end: number): NodeCard | undefined {
  const [name, address, port, guestPort] = [reader.text(), reader.text(), reader.fixed(2), reader.fixed(2)];
  const holds = isNodeName(name) && IP_ADDRESS.test(address) && port > 0 && guestPort > 0 && reader.at <= end;
  return holds && !reader.failed ? { name, address, port, guestPort } : undefined;
}

function decodeEntryRow(reader: ByteReader, message: Message, { roster, content }: DecodeOptions): void {
  const length = reader.varint();
  const end = reader.at + length;
  if (length < ENTRY_HEAD_BYTES || length > reader.left || length > ENTRY_HEAD_BYTES + 8 + MAX_ENTRY_BYTES) {
    reader.skipTo(-1);
    return;
  }
  const id = reader.fixed(ID_BYTES);
  const incarnation = reader.fixed(4);
  const seq = reader.fixed(4);
  const age = reader.varint();
  if (reader.failed || reader.at > end) {
    reader.skipTo(-1);
    return;
  }
  const bytes = reader.raw(end - reader.at);
  const slot = roster.slotOf(id);
  if (slot < 0) {
    if (message.unknown.length < MAX_UNKNOWN) message.unknown.push(id);
  } else if (content(message.entries, bytes)) message.addEntry(slot, incarnation, seq, age);
}
