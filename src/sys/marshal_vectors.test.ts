import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noArgument, planCall, planVmsplice, type BodyMemory, type ForwardPlan } from './marshal.ts';
import { nameOf, numberOf } from './syscalls.ts';

const base = 0x7000_0000;
const at = BigInt(base);

/** A body whose memory is these words at `base`. */
function body(...words: readonly bigint[]): BodyMemory {
  const bytes = new Uint8Array(BigUint64Array.from(words, (word) => BigInt.asUintN(64, word)).buffer);
  return {
    read: (address, length) => {
      const offset = address - base;
      return offset >= 0 && offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined;
    },
  };
}

function forwarded(name: string, args: readonly bigint[], memory: BodyMemory): ForwardPlan & { readonly name: string } {
  const found = planCall(numberOf(name, 'x64'), args, memory, 'x64');
  return found.kind === 'forward' ? { ...found, name: nameOf(found.nr, 'x64') } : assert.fail(JSON.stringify(found));
}

const twoPieces = body(0x1000n, 5n, 0x2000n, 7n);

/** The lengths of a vector that was made anew, and where its pieces begin in the data. */
function piecesOf(found: ForwardPlan): [at: bigint, length: bigint][] {
  const words = new BigUint64Array(found.buffers[0].contents?.slice().buffer ?? new ArrayBuffer(0));
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], words[2 * i + 1]]);
}

test('planCall makes readv with a vector into one buffer', () => {
  const found = forwarded('readv', [3n, at, 2n], twoPieces);
  assert.equal(found.name, 'readv');
  assert.deepEqual([found.args[0], found.args[2]], [3n, 2n]);
  assert.deepEqual(piecesOf(found), [
    [0n, 5n],
    [5n, 7n],
  ]);
  const segments = [
    { address: 0x1000, length: 5 },
    { address: 0x2000, length: 7 },
  ];
  assert.deepEqual(found.buffers[1], {
    argument: noArgument,
    address: 0x1000,
    length: 12,
    direction: 'out',
    filled: 'result',
    unit: 1,
    segments,
  });
  assert.deepEqual(found.pointers, [{ holder: 0, target: 1, offset: 0, stride: 16, count: 2 }]);
});

test('planCall makes a vector of one piece a plain call', () => {
  const found = forwarded('writev', [3n, at, 1n], body(0x2000n, 7n));
  assert.equal(found.name, 'write');
  assert.deepEqual(found.buffers, [
    { argument: 1, address: 0x2000, length: 7, direction: 'in', filled: 'whole', unit: 1 },
  ]);
  const position = 0x1_2345_6789n;
  assert.deepEqual(forwarded('preadv', [3n, at, 1n, position, 0n], body(0x2000n, 7n)).args.slice(1, 4), [
    0x2000n,
    7n,
    position,
  ]);
});

test('planCall keeps empty pieces, positions and flags', () => {
  assert.deepEqual(piecesOf(forwarded('writev', [3n, at, 2n], body(0x1000n, 0n, 0x2000n, 7n))), [
    [0n, 0n],
    [0n, 7n],
  ]);
  const found = forwarded('pwritev2', [3n, at, 2n, 77n, 0n, 0x10n], twoPieces);
  assert.equal(found.name, 'pwritev2');
  assert.deepEqual(found.args.slice(3), [77n, 0n, 0x10n]);
  assert.equal(forwarded('preadv2', [3n, at, 1n, -1n, -1n, 0n], body(0x1000n, 5n)).name, 'preadv2');
});

test('planCall has the kernel judge a vector without bytes', () => {
  const none = forwarded('writev', [3n, at, 0n], body());
  assert.deepEqual(none.args.slice(0, 3), [3n, at, 0n]);
  assert.deepEqual(none.buffers, []);
  assert.deepEqual(piecesOf(forwarded('writev', [3n, at, 1n], body(0x1000n, 0n))), [[0n, 0n]]);
});

test('planCall has the kernel refuse a vector that is not valid', () => {
  for (const [count, memory] of [
    [1025n, body()],
    [2n ** 63n, body()],
    [2n, body(0x1000n, 5n, 0x2000n, -1n)],
  ] as const) {
    const found = forwarded('readv', [3n, at, count], memory);
    assert.equal(found.name, 'readv');
    assert.deepEqual(found.args.slice(0, 3), [3n, 0n, 1025n]);
  }
});

test('planCall passes a bad pointer for a vector that cannot be read or leads out of user space', () => {
  for (const found of [
    forwarded('readv', [3n, at, 3n], twoPieces),
    forwarded('readv', [3n, 0n, 1n], twoPieces),
    forwarded('readv', [3n, at, 1n], body(2n ** 63n, 5n)),
  ]) {
    assert.equal(found.args[1], 1n);
    assert.deepEqual(found.buffers, []);
  }
});

test('planCall cuts a vector to what the kernel moves in one call', () => {
  const found = forwarded('writev', [3n, at, 3n], body(0x1000n, 0x7000_0000n, 0x2000n, 0x7000_0000n, 0x3000n, 9n));
  assert.equal(found.buffers[1].length, 0x7fff_f000);
  assert.deepEqual(
    piecesOf(found).map(([, length]) => length),
    [0x7000_0000n, 0x0fff_f000n, 0n],
  );
});

test('planVmsplice gives pages that a pipe keeps memory of their own', () => {
  const filling = planVmsplice([3n, at, 2n, 0n], twoPieces, 'in');
  assert.ok(filling.kind === 'forward' && filling.ownMemory);
  const emptying = planVmsplice([3n, at, 2n, 0n], twoPieces, 'out');
  assert.ok(emptying.kind === 'forward' && !emptying.ownMemory);
  assert.equal(emptying.buffers[1].direction, 'out');
});
