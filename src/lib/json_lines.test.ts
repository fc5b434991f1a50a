import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { jsonLine, JsonLineError, JsonLineReader } from './json_lines.ts';

test('JsonLineReader gives back what jsonLine wrote when the bytes come in any pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.json()), fc.array(fc.nat(20)), (texts, sizes) => {
      const values = texts.map((text) => JSON.parse(text) as unknown);
      const bytes = Buffer.from(values.map(jsonLine).join(''));
      const reader = new JsonLineReader();
      const read: unknown[] = [];
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        read.push(...reader.feed(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(read, values);
    }),
  );
});

test('JsonLineReader skips empty lines', () => {
  assert.deepEqual(new JsonLineReader().feed(Buffer.from('\n \r\n1\n\n')), [1]);
});

test('JsonLineReader refuses a line as soon as it is longer than agreed', () => {
  const reader = new JsonLineReader(10);
  reader.feed(Buffer.from('"12345678"\n"1234'));
  assert.throws(() => reader.feed(Buffer.from('567890')), JsonLineError);
});

test('JsonLineReader refuses what is not JSON', () => {
  for (const text of ['{\n', 'undefined\n', '\0\n', '[1,]\n', '\xff\n']) {
    assert.throws(() => new JsonLineReader().feed(Buffer.from(text, 'latin1')), JsonLineError, text);
  }
});

test('JsonLineReader survives the deepest nesting that a line can hold', () => {
  const text = `${'['.repeat(32_000)}${']'.repeat(32_000)}\n`;
  assert.equal(new JsonLineReader().feed(Buffer.from(text)).length, 1);
});
