import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import { CARD_BYTES, ENTRY_BYTES } from '../sim/gossip/cluster.ts';
import { Random } from '../sim/random.ts';
import { ByteWriter } from './bytes.ts';
import type { NodeCard } from './entry.ts';
import { decodeEntry, encodeEntry } from './entry_codec.ts';
import { STATE } from './member_state.ts';
import { MESSAGE, Message } from './message.ts';
import {
  decodeMessage,
  encodeMessage,
  MAX_DATAGRAM,
  MAX_MESSAGE,
  messageBytes,
  type Decoded,
} from './message_codec.ts';
import { nodeId, Roster } from './roster.ts';
import { sampleEntry } from './sample_entry.ts';

/** More of them by `MOSIX_MUTATIONS=1000000 npm run unit -- src/gossip/message_codec`. */
const MUTATIONS = Number(process.env['MOSIX_MUTATIONS'] ?? 20_000);

const content = encodeEntry(sampleEntry);
const writer = new ByteWriter(MAX_MESSAGE);

function card(name: string): NodeCard {
  return { name, address: '10.0.0.17', port: 7100, guestPort: 7101 };
}

function rosterOf(...names: string[]): Roster {
  const roster = new Roster(100);
  for (const name of names) roster.add(card(name));
  return roster;
}

const ours = rosterOf('n1', 'n2', 'n3', 'n4');

function encode(message: Message): Uint8Array {
  return encodeMessage(message, { roster: ours, contentOf: () => content }, writer).slice();
}

function decode(bytes: Uint8Array, roster: Roster, into = new Message()): Decoded {
  return decodeMessage(bytes, into, { roster, content: (_, entry) => decodeEntry(entry) !== undefined });
}

function request(): Message {
  const message = new Message().reset(MESSAGE.request);
  message.from = 0;
  message.incarnation = 1_700_000_000;
  message.ask = 77;
  message.addEntry(0, 1_700_000_000, 12, 0);
  message.addEntry(2, 5, 900, 123_456);
  message.addNews(1, STATE.suspect, 4, 2);
  message.addNews(3, STATE.alive, 9, 0);
  message.digest.set([nodeId('n1') % 65_536, 7, 65_535]);
  message.digestCount = 3;
  message.digestAge = 5000;
  message.digestParts = 4;
  message.digestPart = 3;
  return message;
}

/** As the first version wrote request(); it has to be readable for ever. */
const RECORDED =
  '01017c3c0ec44d8b00f153654d050a020388277c3c0700ffff043511023231ee91df5d04000000e1536f5d33392201f2b21e' +
  '6e2c05090000007c3c0ec44d8b026e340931302e302e302e3137bc1bbd1b07b001567c3c0ec44d8b00f153650c0000000089' +
  '01f257ac1b010bfffff77fffff3f01ff00818080c005808080088080800180808001d20932c5023db40680485f9003b60278' +
  '283c03ffff030222fd0105302e312e3087ad4b0458e1536f5d33390500000084030000c0c4078901f257ac1b010bfffff77f' +
  'ffff3f01ff00818080c005808080088080800180808001d20932c5023db40680485f9003b60278283c03ffff030222fd0105' +
  '302e312e3087ad4b04';

test('decodeMessage gives back what encodeMessage was given, by the reader’s own slots', () => {
  const theirs = rosterOf('n3', 'n2', 'n1');
  const read = new Message();
  assert.deepEqual(decode(encode(request()), theirs, read), { ok: true, sender: nodeId('n1') });
  assert.deepEqual([read.type, read.from, read.incarnation, read.ask], [MESSAGE.request, 2, 1_700_000_000, 77]);
  assert.deepEqual([...read.entrySlot.subarray(0, read.entries)], [2, 0]);
  assert.deepEqual([...read.entrySeq.subarray(0, 2), ...read.entryAge.subarray(0, 2)], [12, 900, 0, 123_456]);
  assert.deepEqual([...read.newsSlot.subarray(0, read.news)], [1, 3]);
  assert.deepEqual([...read.newsState.subarray(0, 2), ...read.newsIncarnation.subarray(0, 2)], [2, 1, 4, 9]);
  assert.deepEqual([...read.newsFrom.subarray(0, 2)], [0, 2]);
  assert.deepEqual([...read.digest.subarray(0, read.digestCount)], [nodeId('n1') % 65_536, 7, 65_535]);
  assert.deepEqual([read.digestAge, read.digestPart, read.digestParts], [5000, 3, 4]);
});

test('decodeMessage learns a member from its card, and says whom it does not know', () => {
  const theirs = rosterOf('n2');
  const read = new Message();
  assert.equal(decode(encode(request()), theirs, read).ok, true);
  assert.equal(theirs.card(theirs.slotOfName('n4')).address, '10.0.0.17');
  assert.deepEqual([read.from, read.entries], [-1, 0]);
  assert.deepEqual(new Set(read.unknown), new Set([nodeId('n1'), nodeId('n3')]));
});

test('decodeMessage reads what the first version wrote, and what a later one adds', () => {
  const read = new Message();
  assert.equal(decode(Uint8Array.fromHex(RECORDED), rosterOf('n1', 'n2', 'n3', 'n4'), read).ok, true);
  assert.deepEqual([read.entries, read.news, read.digestCount], [2, 2, 3]);
  const later = Uint8Array.of(...encode(request()), 99, 3, 1, 2, 3);
  assert.equal(decode(later, ours, read).ok, true);
  assert.deepEqual([read.entries, read.news, read.digestCount], [2, 2, 3]);
});

test('decodeMessage refuses another version and whatever is cut off', () => {
  const bytes = encode(request());
  assert.deepEqual(decode(Uint8Array.of(2, ...bytes.subarray(1)), ours), { ok: false, why: 'it is of version 2' });
  const whole = new Set<number>();
  for (let length = 0; length < bytes.length; length += 1) {
    if (decode(bytes.subarray(0, length), ours).ok) whole.add(length);
  }
  // Between two sections a message may end, since none of them has to be there.
  assert.ok(whole.size <= 4, `${whole.size} of ${bytes.length} cuts went unnoticed`);
});

test('encodeMessage leaves out the entries that do not fit a datagram', () => {
  const message = new Message().reset(MESSAGE.reply);
  message.from = 0;
  for (let i = 0; i < 64; i += 1) message.addEntry(i % 4, 1, i + 1, 1000);
  const bytes = encode(message);
  assert.ok(bytes.length <= MAX_DATAGRAM && bytes.length > MAX_DATAGRAM - 120, `${bytes.length} bytes`);
  const read = new Message();
  assert.equal(decode(bytes, ours, read).ok, true);
  assert.ok(read.entries >= 14, `${read.entries} entries`);
});

test('messageBytes reckons what encodeMessage writes', () => {
  assert.equal(content.length, ENTRY_BYTES);
  const cardBytes = 2 + 'n4'.length + '10.0.0.17'.length + 4;
  assert.ok(Math.abs(cardBytes - CARD_BYTES) < 8);
  const sizes = { entryBytes: ENTRY_BYTES, cardBytes };
  const answer = new Message().reset(MESSAGE.ack);
  answer.from = 1;
  answer.subject = 2;
  answer.wallClock = 1_700_000_000_000;
  const list = new Message().reset(MESSAGE.sync);
  list.from = 0;
  for (let slot = 0; slot < 4; slot += 1) list.addNews(slot, STATE.dead, 1, 0);
  for (const message of [request(), answer, list, new Message()]) {
    assert.equal(encode(message).length, messageBytes(message, sizes), `type ${message.type}`);
  }
});

test('decodeMessage stands any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(typeof decode(Uint8Array.of(1, ...bytes), ours).ok, 'boolean');
    }),
    { numRuns: 2000 },
  );
});

test(`decodeMessage stands ${MUTATIONS} mutations without a crash and without growing`, () => {
  const seed = 20_261_121;
  const random = new Random(seed);
  const roster = rosterOf('n1', 'n2', 'n3', 'n4');
  const read = new Message();
  const list = new Message().reset(MESSAGE.sync);
  for (let slot = 0; slot < 4; slot += 1) list.addNews(slot, STATE.alive, slot, 0);
  const originals = [encode(request()), encode(list)];
  let accepted = 0;
  const begin = process.memoryUsage().heapUsed;
  for (let i = 0; i < MUTATIONS; i += 1) {
    const bytes = mutated(originals[i % 2], random);
    try {
      accepted += Number(decode(bytes, roster, read).ok);
    } catch (error) {
      throw new Error(`mutation ${i} of seed ${seed}: ${bytes.toHex()}`, { cause: error });
    }
    assert.ok(read.entries <= 64 && read.unknown.length <= 64 && read.news <= 64 && roster.size <= 100);
  }
  assert.ok(accepted > MUTATIONS / 100 && accepted < MUTATIONS, `${accepted} accepted`);
  const grown = process.memoryUsage().heapUsed - begin;
  assert.ok(grown < 64 << 20, `the heap has grown by ${grown} bytes`);
});

/** Some bytes other ones, some more, some gone. */
function mutated(original: Uint8Array, random: Random): Uint8Array {
  const bytes = [...original];
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const at = random.below(bytes.length);
    const kind = random.below(6);
    if (kind === 0) bytes.splice(at, 1 + random.below(8));
    else if (kind === 1) bytes.splice(at, 0, random.below(256));
    else if (kind === 2) bytes.length = Math.max(1, at);
    else if (kind === 3) bytes[at] = [0, 255, 127, 128][random.below(4)];
    else bytes[at] = random.below(256);
    if (bytes.length === 0) bytes.push(1);
  }
  return Uint8Array.from(bytes);
}
