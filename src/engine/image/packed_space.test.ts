import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MappingImage, SpaceImage } from './image.ts';
import { identifyByStat, readAddressSpace } from './capture.ts';
import { packSpace, unpackSpace } from './packed_space.ts';

const limits: [string, string][] = [['1', '2']];

/** Over a link it is JSON. */
function travelled(space: SpaceImage): SpaceImage {
  // cast: it is what was packed
  return unpackSpace(JSON.parse(JSON.stringify(packSpace(space))) as ReturnType<typeof packSpace>);
}

test('`unpackSpace` gives back the address space of a real process', () => {
  const space = { ...readAddressSpace(process.pid, { identify: identifyByStat('n1'), own: [] }), limits, rings: false };
  assert.deepEqual(travelled(space), space);
});

test('`unpackSpace` gives back mappings at both ends of the address space, and tens of thousands in little room', () => {
  const kind = { protection: 3, file: -1, offset: 0, shared: false, flags: ['ac'], name: '' };
  const count = 65_530;
  const mappings: MappingImage[] = Array.from({ length: count }, (_, i) => ({
    ...kind,
    start: 0x10000 + i * 4096,
    end: 0x11000 + i * 4096,
    protection: i % 2,
  }));
  mappings.push({ ...kind, start: 0x7fff_ffff_e000, end: 0x7fff_ffff_f000, name: '[stack]' });
  mappings.push({
    ...kind,
    start: 2 ** 52,
    end: 2 ** 52 + 2 ** 40,
    file: 0,
    offset: 2 ** 40,
    shared: true,
    live: true,
  });
  const space = { mappings, files: [{ identity: 'a', size: 7 }], limits, rings: true };
  assert.deepEqual(travelled(space), space);
  assert.ok(JSON.stringify(packSpace(space)).length < 5 * count);
});

test('`unpackSpace` refuses what breaks off or names a kind that there is not', () => {
  const kind = { protection: 3, file: -1, offset: 0, shared: false, flags: [], name: '' };
  const packed = packSpace({ mappings: [{ ...kind, start: 4096, end: 8192 }], files: [], limits, rings: false });
  const bytes = Buffer.from(packed.mappings, 'base64');
  const changed = (mappings: Uint8Array): typeof packed => ({
    ...packed,
    mappings: Buffer.from(mappings).toString('base64'),
  });
  assert.throws(() => unpackSpace(changed(bytes.subarray(0, -1))), /breaks off/);
  assert.throws(() => unpackSpace(changed(bytes.with(2, 5))), /of no kind/);
});
