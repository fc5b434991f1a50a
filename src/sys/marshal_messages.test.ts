/** How message headers are made anew. That a kernel sees the same in them is shown by marshal_kernel.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noArgument, planCall, type BodyMemory, type ForwardPlan } from './marshal.ts';
import { numberOf } from './syscalls.ts';

const base = 0x7000_0000;
const at = BigInt(base);

function body(...words: readonly bigint[]): BodyMemory {
  const bytes = new Uint8Array(BigUint64Array.from(words, (word) => BigInt.asUintN(64, word)).buffer);
  return {
    read: (address, length) => {
      const offset = address - base;
      return offset >= 0 && offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined;
    },
  };
}

interface Fields {
  readonly name?: bigint;
  readonly nameLength?: bigint;
  readonly vector?: bigint;
  readonly count?: bigint;
  readonly control?: bigint;
  readonly controlLength?: bigint;
}

/** struct msghdr at `base`, with a vector of two pieces behind it. */
function message(fields: Fields = {}): BodyMemory {
  const { name = 0n, nameLength = 0n, vector = at + 56n, count = 2n, control = 0n, controlLength = 0n } = fields;
  return body(name, nameLength, vector, count, control, controlLength, 0n, 0x1000n, 5n, 0x2000n, 7n);
}

function planned(name: string, args: readonly bigint[], memory: BodyMemory): ForwardPlan {
  const found = planCall(numberOf(name, 'x64'), args, memory, 'x64');
  return found.kind === 'forward' ? found : assert.fail(JSON.stringify(found));
}

/** The words of the header and of the vector of one piece as they go home. */
function sent(found: ForwardPlan): { header: BigUint64Array; vector: BigUint64Array } {
  const [header, vector] = found.buffers.map(
    ({ contents }) => new BigUint64Array(contents?.slice().buffer ?? new ArrayBuffer(0)),
  );
  return { header, vector };
}

test('planCall sends a message with its vector as one piece', () => {
  const found = planned('sendmsg', [3n, at, 0x40n], message());
  const { header, vector } = sent(found);
  assert.deepEqual([...header], [0n, 0n, 0n, 1n, 0n, 0n, 0n]);
  assert.deepEqual([...vector], [0n, 12n]);
  assert.deepEqual(found.pointers, [
    { holder: 0, target: 1, offset: 16, stride: 8, count: 1 },
    { holder: 1, target: 2, offset: 0, stride: 8, count: 1 },
  ]);
  assert.deepEqual(
    found.buffers.map(({ argument, direction }) => [argument, direction]),
    [
      [1, 'in'],
      [noArgument, 'in'],
      [noArgument, 'in'],
    ],
  );
  assert.equal(found.args[2], 0x40n);
});

test('planCall sends name and ancillary data along', () => {
  const found = planned(
    'sendmsg',
    [3n, at, 0n],
    message({ name: 0x5000n, nameLength: 16n, control: 0x6000n, controlLength: 24n }),
  );
  assert.deepEqual(
    found.buffers.slice(2).map(({ address, length }) => [address, length]),
    [
      [0x5000, 16],
      [0x1000, 12],
      [0x6000, 24],
    ],
  );
});

test('planCall receives a message into fields, name, data and ancillary data', () => {
  const found = planned(
    'recvmsg',
    [3n, at, 0n],
    message({ name: 0x5000n, nameLength: 128n, control: 0x6000n, controlLength: 1n << 40n }),
  );
  const [header, , name, data, control] = found.buffers;
  assert.deepEqual(header.back, [
    { offset: 8, address: base + 8, length: 4 },
    { offset: 40, address: base + 40, length: 8 },
    { offset: 48, address: base + 48, length: 4 },
  ]);
  assert.deepEqual([name.direction, name.filled, name.length], ['inout', 'success', 128]);
  assert.deepEqual([data.direction, data.filled, data.segments?.length], ['out', 'result', 2]);
  assert.deepEqual([control.direction, control.filled, control.length], ['inout', 'success', 65536]);
  assert.equal(sent(found).header[5], 65536n);
});

test('planCall counts the bytes of several received messages by their headers', () => {
  const one = [0x5000n, 16n, at + 128n, 2n, 0n, 0n, 0n, 0n];
  const memory = body(...one, ...one, 0x1000n, 5n, 0x2000n, 7n);
  const found = planned('recvmmsg', [3n, at, 2n, 0n, 0n], memory);
  assert.deepEqual(
    found.buffers.map(({ filled, unit, counted }) => [filled, unit, counted?.at]),
    [
      ['result', 64, undefined],
      ['whole', 1, undefined],
      ['element', 0, undefined],
      ['counted', 0, 56],
      ['element', 1, undefined],
      ['counted', 1, 120],
    ],
  );
});

test('planCall leaves what is wrong with a message to the kernel', () => {
  const header = (fields: Fields): BigUint64Array => sent(planned('sendmsg', [3n, at, 0n], message(fields))).header;
  assert.equal(planned('sendmsg', [3n, 0x10n, 0n], message()).args[1], 1n);
  assert.deepEqual([...header({ count: 2000n })].slice(2, 4), [1n, 2000n]);
  assert.deepEqual([...header({ vector: 0x10n })].slice(2, 4), [1n, 2n]);
  assert.deepEqual([...header({ name: 0x5000n, nameLength: 0xffff_ffffn })].slice(0, 2), [0x5000n, 0xffff_ffffn]);
  assert.deepEqual([...header({ control: 0x5000n, controlLength: 1n << 31n })].slice(4, 6), [1n, 1n << 31n]);
  const negative = planned('sendmsg', [3n, at, 0n], body(0n, 0n, at + 56n, 1n, 0n, 0n, 0n, 0x1000n, -5n));
  assert.deepEqual([...sent(negative).vector], [0n, 2n ** 64n - 1n]);
});

test('planCall gives messages memory of their own whose pages the kernel keeps', () => {
  assert.equal(planned('sendmsg', [3n, at, 0x4000000n], message()).ownMemory, true);
  assert.equal(planned('sendto', [3n, at, 8n, 0x4000000n, 0n, 0n], message()).ownMemory, true);
  assert.equal(planned('recvmsg', [3n, at, 0x4000000n], message()).ownMemory, undefined);
});

test('planCall brings messages home of which only some can be read', () => {
  const found = planCall(numberOf('sendmmsg', 'x64'), [3n, at, 2n, 0n], message(), 'x64');
  assert.deepEqual(found, { kind: 'come-home', reason: 'sendmmsg with memory that is there only in part' });
});
