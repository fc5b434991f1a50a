import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import {
  anyPlace,
  decodeRequest,
  direction,
  encodeRequest,
  filled,
  noArgument,
  placesOf,
  validBytes,
  type WireBuffer,
  type WireRequest,
} from './call_messages.ts';

function buffer(fields: Partial<WireBuffer> = {}): WireBuffer {
  return {
    argument: 1,
    direction: direction.in,
    filled: filled.whole,
    unit: 1,
    length: 64,
    place: anyPlace,
    countedBy: 0,
    extra: 0,
    ...fields,
  };
}

const request: Omit<WireRequest, 'data'> = {
  tid: 4711,
  nr: 46,
  args: [3n, 2n ** 63n, 0n, 5n, 6n, 7n],
  large: false,
  buffers: [buffer(), buffer({ argument: noArgument, direction: direction.out, filled: filled.counted, extra: 56 })],
  pointers: [{ holder: 0, target: 1, offset: 16, stride: 8, count: 2 }],
  waited: 12.5,
  blocked: 1 << 20,
};

function encoded(what: Omit<WireRequest, 'data'>): DataView {
  const view = new DataView(new ArrayBuffer(4096));
  const end = encodeRequest(view, 0, what);
  return new DataView(view.buffer, 0, end);
}

test('decodeRequest gives back what encodeRequest wrote', () => {
  const view = encoded(request);
  assert.deepEqual(decodeRequest(view, 0, view.byteLength), { ...request, data: view.byteLength });
});

test('decodeRequest refuses buffers and pointers that lead out of the request', () => {
  const refused = (change: Partial<WireRequest>): void => {
    const view = encoded({ ...request, ...change });
    assert.throws(() => decodeRequest(view, 0, view.byteLength), RangeError);
  };
  const [pointer] = request.pointers;
  refused({ buffers: [buffer({ argument: 6 })] });
  refused({ waited: -1 });
  refused({ waited: NaN });
  refused({ buffers: [buffer({ length: 2 ** 32 })] });
  refused({ buffers: [buffer(), buffer({ filled: filled.counted, countedBy: 2 })] });
  refused({ buffers: [buffer(), buffer({ filled: filled.counted, extra: 61 })] });
  refused({ pointers: [{ ...pointer, holder: 2 }] });
  refused({ pointers: [{ ...pointer, target: 2 }] });
  refused({ pointers: [{ ...pointer, offset: 57, count: 1 }] });
  refused({ pointers: [{ ...pointer, stride: 0 }] });
  refused({ pointers: [{ ...pointer, count: 0 }] });
  const view = encoded(request);
  assert.throws(() => decodeRequest(view, 0, view.byteLength - 1), RangeError);
});

test('decodeRequest throws nothing but RangeError when fed with arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      try {
        decodeRequest(view, 0, bytes.length);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
  );
});

test('placesOf keeps buffers apart, and their place within a page where they have one', () => {
  const sizes = fc.record({ length: fc.nat(0x7fff_f000), place: fc.oneof(fc.constant(anyPlace), fc.nat(4095)) });
  fc.assert(
    fc.property(fc.array(sizes, { maxLength: 8 }), (wanted) => {
      const buffers = wanted.map((each) => buffer(each));
      const { offsets, total } = placesOf(buffers);
      let end = 0;
      buffers.forEach(({ length, place }, i) => {
        assert.ok(offsets[i] >= end);
        assert.ok(place === anyPlace ? offsets[i] % 64 === 0 : offsets[i] % 4096 === place);
        end = offsets[i] + length;
      });
      assert.equal(total, end);
    }),
  );
});

test('validBytes counts by the result, by elements, and by another buffer', () => {
  const valid = (fields: Partial<WireBuffer>, result: number): number =>
    validBytes(buffer({ direction: direction.inout, ...fields }), result, () => 10);
  assert.equal(valid({}, -11), 64);
  assert.equal(valid({ direction: direction.out }, -11), 0);
  assert.equal(valid({ direction: direction.in }, 5), 0);
  assert.equal(valid({ filled: filled.result, unit: 12 }, 2), 24);
  assert.equal(valid({ filled: filled.result, unit: 1, extra: 8 }, 5), 13);
  assert.equal(valid({ filled: filled.result, unit: 1 }, 1000), 64);
  assert.equal(valid({ filled: filled.result, unit: 1, extra: 8 }, -22), 0);
  assert.equal(valid({ filled: filled.success }, 0), 64);
  assert.equal(valid({ filled: filled.success }, -1), 0);
  assert.deepEqual(
    [0, 1, 2].map((result) => valid({ filled: filled.element, unit: 1 }, result)),
    [0, 0, 64],
  );
  assert.deepEqual(
    [0, 1, 2].map((result) => valid({ filled: filled.counted, unit: 1 }, result)),
    [0, 0, 10],
  );
});
