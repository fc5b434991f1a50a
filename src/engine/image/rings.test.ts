import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MappingImage } from './image.ts';
import { markRings } from './rings.ts';

function mapping(start: number, end: number, more: Partial<MappingImage> = {}): MappingImage {
  return { start, end, protection: 3, file: -1, offset: 0, shared: false, flags: ['dd'], name: '', ...more };
}
const ring = (start: number, end: number): MappingImage => mapping(start, end, { ring: true, flags: [] });

test('`markRings` finds rings that have become one mapping with each other and with their neighbours', () => {
  const home = [ring(0x2000, 0x3000), ring(0x3000, 0x5000)];
  assert.deepEqual(markRings([mapping(0x1000, 0x6000)], home), [
    mapping(0x1000, 0x2000),
    ring(0x2000, 0x3000),
    ring(0x3000, 0x5000),
    mapping(0x5000, 0x6000),
  ]);
});

test('`markRings` takes nothing for a ring that was mapped in its place later', () => {
  const later = [mapping(0x2000, 0x3000, { flags: ['ac'] }), mapping(0x3000, 0x4000, { file: 1 })];
  assert.deepEqual(markRings(later, [ring(0x2000, 0x4000)]), later);
});
