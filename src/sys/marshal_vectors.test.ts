import assert from 'node:assert/strict';
import { test } from 'node:test';

import { planCall, type BodyMemory, type ForwardPlan, type Plan } from './marshal.ts';
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

function plan(name: string, args: readonly bigint[], memory: BodyMemory): Plan {
  return planCall(numberOf(name, 'x64'), args, memory, 'x64');
}

function forwarded(name: string, args: readonly bigint[], memory: BodyMemory): ForwardPlan & { readonly name: string } {
  const found = plan(name, args, memory);
  return found.kind === 'forward' ? { ...found, name: nameOf(found.nr, 'x64') } : assert.fail(JSON.stringify(found));
}

const fault: Plan = { kind: 'fault' };
const twoPieces = body(0x1000n, 5n, 0x2000n, 7n);

test('planCall makes readv as a read into several pieces', () => {
  const found = forwarded('readv', [3n, at, 2n], twoPieces);
  assert.equal(found.name, 'read');
  assert.deepEqual(found.args, [3n, 0x1000n, 12n, 0n, 0n, 0n]);
  const segments = [
    { address: 0x1000, length: 5 },
    { address: 0x2000, length: 7 },
  ];
  assert.deepEqual(found.buffers, [
    { argument: 1, address: 0x1000, length: 12, direction: 'out', filled: 'result', unit: 1, segments },
  ]);
});

test('planCall makes a vector of one piece a plain call', () => {
  const found = forwarded('writev', [3n, at, 2n], body(0x1000n, 0n, 0x2000n, 7n));
  assert.equal(found.name, 'write');
  assert.deepEqual(found.buffers, [
    { argument: 1, address: 0x2000, length: 7, direction: 'in', filled: 'whole', unit: 1 },
  ]);
});

test('planCall carries the position of a vector call over', () => {
  const position = 0x1_2345_6789n;
  for (const [vector, plain] of [
    ['preadv', 'pread64'],
    ['pwritev', 'pwrite64'],
    ['preadv2', 'pread64'],
    ['pwritev2', 'pwrite64'],
  ]) {
    const found = forwarded(vector, [3n, at, 2n, position, 0n, 0n], twoPieces);
    assert.equal(found.name, plain);
    assert.deepEqual(found.args, [3n, 0x1000n, 12n, position, 0n, 0n]);
  }
});

test('planCall takes position -1 of preadv2 and pwritev2 as the file’s own, and of preadv as an error of its own', () => {
  assert.equal(forwarded('preadv2', [3n, at, 2n, -1n, 0n, 0n], twoPieces).name, 'read');
  assert.equal(forwarded('pwritev2', [3n, at, 2n, -1n, 0n, 0n], twoPieces).name, 'write');
  assert.equal(forwarded('preadv', [3n, at, 2n, -1n, 0n, 0n], twoPieces).name, 'pread64');
});

test('planCall brings vector calls with flags home', () => {
  assert.deepEqual(plan('pwritev2', [3n, at, 2n, 0n, 0n, 0x10n], twoPieces), {
    kind: 'come-home',
    reason: 'pwritev2 with flags',
  });
});

test('planCall has the kernel judge a vector without bytes', () => {
  for (const memory of [body(0x1000n, 0n), body()]) {
    const count = memory.read(base, 8) === undefined ? 0n : 1n;
    const found = forwarded('writev', [3n, at, count], memory);
    assert.equal(found.name, 'writev');
    assert.deepEqual(found.args.slice(0, 3), [3n, 0n, 0n]);
    assert.deepEqual(found.buffers, []);
  }
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

test('planCall faults on a vector that cannot be read or leads out of user space', () => {
  assert.deepEqual(plan('readv', [3n, at, 3n], twoPieces), fault);
  assert.deepEqual(plan('readv', [3n, 0n, 1n], twoPieces), fault);
  assert.deepEqual(plan('readv', [3n, at, 1n], body(2n ** 63n, 5n)), fault);
});

test('planCall cuts a vector to what the kernel moves in one call', () => {
  const found = forwarded('writev', [3n, at, 3n], body(0x1000n, 0x7000_0000n, 0x2000n, 0x7000_0000n, 0x3000n, 9n));
  assert.equal(found.args[2], 0x7ffff000n);
  assert.deepEqual(
    found.buffers[0].segments?.map((each) => each.length),
    [0x7000_0000, 0x0fff_f000],
  );
});

/** struct msghdr at `base`, with a vector of two pieces behind it. */
function message(fields: {
  name?: bigint;
  nameLength?: bigint;
  control?: bigint;
  controlLength?: bigint;
  count?: bigint;
}): BodyMemory {
  const { name = 0n, nameLength = 0n, control = 0n, controlLength = 0n, count = 2n } = fields;
  return body(name, nameLength, at + 56n, count, control, controlLength, 0n, 0x1000n, 5n, 0x2000n, 7n, 0x0002n, 0n);
}

test('planCall makes sendmsg without ancillary data as sendto', () => {
  const found = forwarded('sendmsg', [3n, at, 0x40n], message({}));
  assert.equal(found.name, 'sendto');
  assert.deepEqual(found.args, [3n, 0x1000n, 12n, 0x40n, 0n, 0n]);
  assert.equal(found.buffers.length, 1);
  assert.equal(found.buffers[0].segments?.length, 2);
});

test('planCall carries the address of a sendmsg over', () => {
  const found = forwarded('sendmsg', [3n, at, 0n], message({ name: at + 88n, nameLength: 16n }));
  assert.deepEqual(found.args.slice(4), [at + 88n, 16n]);
  assert.deepEqual(found.buffers[1], {
    argument: 4,
    address: base + 88,
    length: 16,
    direction: 'in',
    filled: 'whole',
    unit: 1,
  });
});

test('planCall sends an empty message', () => {
  const found = forwarded('sendmsg', [3n, at, 0n], message({ count: 0n }));
  assert.equal(found.name, 'sendto');
  assert.deepEqual(found.args, [3n, 0n, 0n, 0n, 0n, 0n]);
  assert.deepEqual(found.buffers, []);
});

test('planCall brings other messages home', () => {
  const reason = (memory: BodyMemory): Plan => plan('sendmsg', [3n, at, 0n], memory);
  const home = (why: string): Plan => ({ kind: 'come-home', reason: why });
  assert.deepEqual(reason(message({ control: 0x5000n, controlLength: 24n })), home('sendmsg with ancillary data'));
  assert.deepEqual(reason(message({ name: 0x5000n, nameLength: 200n })), home('sendmsg with an odd address'));
  assert.deepEqual(reason(message({ count: 2000n })), home('sendmsg with a bad vector'));
  assert.deepEqual(plan('sendmsg', [3n, 0x10n, 0n], message({})), fault);
  assert.deepEqual(plan('recvmsg', [3n, at, 0n], message({})), home('recvmsg'));
});
