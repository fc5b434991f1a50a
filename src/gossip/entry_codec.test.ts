import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import { ENTRY_BYTES } from '../sim/gossip/cluster.ts';
import { includesFeatures } from './entry.ts';
import { decodeEntry, encodeEntry, MAX_ENTRY_BYTES } from './entry_codec.ts';
import { sampleEntry } from './sample_entry.ts';

/** As the first version wrote sampleEntry; it has to be readable for ever. */
const RECORDED =
  '8901f257ac1b010bfffff77fffff3f01ff00818080c005808080088080800180808001d20932c5023d' +
  'b40680485f9003b60278283c03ffff030222fd0105302e312e3087ad4b04';

test('decodeEntry gives back what encodeEntry was given', () => {
  assert.deepEqual(decodeEntry(encodeEntry(sampleEntry)), sampleEntry);
});

test('decodeEntry reads what the first version wrote', () => {
  assert.deepEqual(decodeEntry(Uint8Array.fromHex(RECORDED)), sampleEntry);
});

test('an entry is as long as simulations take it to be, and the largest fits', () => {
  assert.equal(encodeEntry(sampleEntry).length, ENTRY_BYTES);
  const huge = 2 ** 47;
  const rates = { callsPerSecond: huge, bytesPerSecond: huge };
  const largest = encodeEntry({
    ...sampleEntry,
    ...{
      load: huge,
      speed: huge,
      cpus: huge,
      freeMemory: huge * 1024,
      totalMemory: huge * 1024,
      freeSwap: huge * 1024,
    },
    ...{ totalSwap: huge * 1024, pressure: { cpu: huge, memory: huge, io: huge }, utilisation: huge },
    ...{
      localIo: rates,
      remoteIo: rates,
      localIpc: rates,
      remoteIpc: rates,
      guests: huge,
      maxGuests: huge,
      away: huge,
    },
    ...{
      cpuFeatures: new Uint8Array(99),
      clockOffsetMs: huge,
      version: 'v'.repeat(99),
      uptimeSeconds: huge,
      users: huge,
    },
  });
  assert.ok(largest.length <= MAX_ENTRY_BYTES, `${largest.length} bytes`);
  assert.notEqual(decodeEntry(largest), undefined);
});

test('decodeEntry takes nonsense numbers for 0 and a shorter entry of an older version for one with zeros', () => {
  const odd = decodeEntry(encodeEntry({ ...sampleEntry, load: NaN, speed: -5, guests: Infinity }));
  assert.deepEqual([odd?.load, odd?.speed], [0, 0]);
  const bytes = encodeEntry(sampleEntry);
  const older = decodeEntry(bytes.subarray(0, bytes.length - 4));
  assert.deepEqual({ ...older, uptimeSeconds: 1_234_567, users: 4 }, sampleEntry);
});

test('decodeEntry skips fields of a later version', () => {
  assert.deepEqual(decodeEntry(Uint8Array.of(...encodeEntry(sampleEntry), 1, 2, 3, 250)), sampleEntry);
});

test('decodeEntry never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const entry = decodeEntry(bytes);
      assert.ok(entry === undefined || Number.isSafeInteger(entry.load));
    }),
    { numRuns: 2000 },
  );
});

test('includesFeatures is true when all that is needed is offered', () => {
  const bits = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
  assert.ok(includesFeatures(bits(3, 1), bits(1)));
  assert.ok(includesFeatures(bits(3), bits(3, 0)));
  assert.ok(!includesFeatures(bits(3), bits(3, 1)));
  assert.ok(!includesFeatures(bits(2), bits(1)));
});
