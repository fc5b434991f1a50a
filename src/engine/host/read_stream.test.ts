import assert from 'node:assert/strict';
import test from 'node:test';
import { readUnit } from '../image/read_ahead_messages.ts';
import { ReadStream } from './read_stream.ts';

const size = 5 * readUnit + 100;
const byteAt = (offset: number): number => (offset * 31) & 255;
const part = (offset: number): Uint8Array =>
  Uint8Array.from({ length: Math.min(readUnit, size - offset) }, (_, i) => byteAt(offset + i));

function begun(position = 0): ReadStream {
  const stream = new ReadStream(1);
  stream.begin(position, size);
  return stream;
}

function fill(stream: ReadStream): void {
  for (const offset of stream.wants()) stream.add(offset, part(offset));
}

test('ReadStream gives every byte in order, across parts, and nothing at the end', () => {
  const stream = begun();
  let offset = 0;
  for (;;) {
    fill(stream);
    const bytes = stream.next(1000);
    assert.ok(bytes);
    if (bytes.length === 0) break;
    bytes.forEach((byte, i) => assert.equal(byte, byteAt(offset + i)));
    offset += bytes.length;
    stream.advance(bytes.length);
  }
  assert.equal(offset, size);
});

test('ReadStream asks for each part once, and only for so much ahead', () => {
  const stream = begun();
  assert.deepEqual(
    stream.wants(),
    [0, 1, 2, 3].map((i) => i * readUnit),
  );
  assert.deepEqual(stream.wants(), []);
  stream.advance(readUnit);
  assert.deepEqual(stream.wants(), [4 * readUnit]);
});

test('ReadStream has nothing where no part has come yet', () => {
  const stream = begun();
  stream.wants();
  assert.equal(stream.next(10), undefined);
  stream.add(readUnit, part(readUnit));
  assert.equal(stream.next(10), undefined);
});

test('ReadStream seeks within what is here, and fetches anew after a jump', () => {
  const stream = begun();
  fill(stream);
  stream.advance(2000);
  assert.equal(stream.target(-1000, 1), 1000);
  assert.ok(stream.seek(1000));
  assert.deepEqual(stream.next(3), Uint8Array.of(byteAt(1000), byteAt(1001), byteAt(1002)));
  assert.ok(stream.seek(5 * readUnit));
  assert.equal(stream.next(3), undefined);
  assert.deepEqual(stream.wants(), [5 * readUnit]);
});

test('ReadStream leaves it to home where a seek ends outside of the file', () => {
  const stream = begun(50);
  assert.equal(stream.target(-51, 1), undefined);
  assert.equal(stream.target(1, 2), undefined);
  assert.equal(stream.target(0, 3), undefined);
  assert.equal(stream.target(-100, 2), size - 100);
});

test('ReadStream is given up when the program jumps about', () => {
  const stream = begun();
  let jumps = 0;
  while (stream.seek(jumps % 2 === 0 ? 4 * readUnit + jumps : jumps)) jumps += 1;
  assert.ok(jumps >= 10 && jumps < 100, `${jumps} jumps`);
});
