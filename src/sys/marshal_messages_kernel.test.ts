/** Messages, structures with pointers and IPC control against the running kernel: made as planned they do what the plain call does. */

import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';

import { kernel } from './kernel.ts';
import { rehearse, StageError, type Preparation, type Rehearsal, type Stage } from './testing/rehearsal.ts';
import { numberOf } from './syscalls.ts';

const queueKey = 0x6d6f7377n;
const setKey = 0x6d6f7378n;
after(() => {
  remove('msgget', 'msgctl', [queueKey, 0n], (id) => [id, 0n, 0n]);
  remove('semget', 'semctl', [setKey, 0n, 0n], (id) => [id, 0n, 0n, 0n]);
});

function remove(find: string, control: string, key: readonly bigint[], how: (id: bigint) => readonly bigint[]): void {
  const id = kernel.callWide(numberOf(find), [...key]);
  if (id >= 0) kernel.callWide(numberOf(control), [...how(BigInt(id))]);
}

function int(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function pair(stage: Stage, kind = 1): readonly [bigint, bigint] {
  const ends = stage.room(8);
  stage.call('socketpair', 1, kind, 0, ends);
  return [stage.keep(stage.int(ends)), stage.keep(stage.int(ends + 4n))];
}

function pipe(stage: Stage): readonly [bigint, bigint] {
  const ends = stage.room(8);
  stage.call('pipe2', ends, 0);
  return [stage.keep(stage.int(ends)), stage.keep(stage.int(ends + 4n))];
}

/** A vector of room, or of pieces of text. */
function vector(stage: Stage, lengths: readonly number[], text?: string): bigint {
  let at = 0;
  const words = lengths.flatMap((length) => {
    const address = text === undefined ? stage.room(length) : stage.put(Buffer.from(text.slice(at, at + length)));
    at += length;
    return [address, BigInt(length)];
  });
  return stage.put(words);
}

interface Fields {
  readonly name?: readonly [address: bigint, length: number];
  readonly vector?: readonly [address: bigint, count: number];
  readonly control?: readonly [address: bigint, length: number];
}

function header({ name = [0n, 0], vector: data = [0n, 0], control = [0n, 0] }: Fields): bigint[] {
  return [name[0], BigInt(name[1]), data[0], BigInt(data[1]), control[0], BigInt(control[1]), 0n];
}

const message = (stage: Stage, fields: Fields): bigint => stage.put(header(fields));
const several = (stage: Stage, ...all: readonly Fields[]): bigint =>
  stage.put(all.flatMap((fields) => [...header(fields), 0xeeee_eeeen]));

/** A socket with these datagrams waiting. */
function filled(stage: Stage, ...texts: readonly string[]): bigint {
  const [reader, writer] = pair(stage, 2);
  for (const text of texts) stage.call('write', writer, stage.put(text), text.length);
  return reader;
}

/** SCM_RIGHTS of one descriptor; SCM_CREDENTIALS of this process. */
const rights = (fd: bigint): Uint8Array => Uint8Array.from([...int(20, 0, 1, 1, Number(fd)), 0, 0, 0, 0]);
const credentials = (): Uint8Array => {
  const [uid, gid] = [kernel.callWide(numberOf('getuid'), []), kernel.callWide(numberOf('getgid'), [])];
  return Uint8Array.from([...int(28, 0, 1, 2, process.pid, uid, gid), 0, 0, 0, 0]);
};

/** A socket on which a descriptor waits to be received. */
function withDescriptor(stage: Stage): bigint {
  const [reader, writer] = pair(stage);
  const control = stage.put(rights(writer));
  stage.call('sendmsg', writer, message(stage, { vector: [vector(stage, [3], 'abc'), 1], control: [control, 24] }), 0);
  return reader;
}

/** A UDP socket that has sent itself some datagrams, so that they have a source. */
function receiver(stage: Stage, ...texts: readonly string[]): bigint {
  const socket = stage.open('socket', 2, 2, 0);
  const [name, length] = [
    stage.put(Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)),
    stage.put(int(16)),
  ];
  stage.call('bind', socket, name, 16);
  stage.call('getsockname', socket, name, length);
  for (const text of texts) stage.call('sendto', socket, stage.put(text), text.length, 0, name, 16);
  // The port is another one each time.
  stage.clear(name, 16);
  return socket;
}

function set(stage: Stage, values: readonly number[]): number {
  remove('semget', 'semctl', [setKey, 0n, 0n], (id) => [id, 0n, 0n, 0n]);
  const id = stage.call('semget', setKey, values.length, 0o1600);
  values.forEach((each, i) => stage.call('semctl', id, i, 16, each));
  return id;
}

function queue(stage: Stage): number {
  remove('msgget', 'msgctl', [queueKey, 0n], (id) => [id, 0n, 0n]);
  return stage.call('msgget', queueKey, 0o1600);
}

/** struct sockaddr_un of an abstract name that nobody listens to. */
const nobody = (): Buffer => Buffer.from('\x01\0\0nobody-is-here');

const scenes: readonly (readonly [note: string, name: string, prepare: Preparation])[] = [
  ['of pieces', 'sendmsg', (s) => [pair(s)[0], message(s, { vector: [vector(s, [3, 0, 5], 'a message'), 3] }), 0]],
  ['to an address', 'sendmsg', (s) => [s.open('socket', 1, 2, 0), message(s, { name: [s.put(nobody()), 17] }), 0]],
  ['to an address too long', 'sendmsg', (s) => [pair(s)[0], message(s, { name: [s.room(200), 200] }), 0]],
  ['to a negative address', 'sendmsg', (s) => [pair(s)[0], message(s, { name: [s.room(20), -1] }), 0]],
  [
    'with a descriptor',
    'sendmsg',
    (s) => {
      const [one, other] = pair(s);
      return [one, message(s, { vector: [vector(s, [1], 'x'), 1], control: [s.put(rights(other)), 24] }), 0];
    },
  ],
  [
    'with credentials',
    'sendmsg',
    (s) => [pair(s, 2)[0], message(s, { vector: [vector(s, [1], 'x'), 1], control: [s.put(credentials()), 32] }), 0],
  ],
  [
    'with a bad descriptor',
    'sendmsg',
    (s) => [pair(s)[0], message(s, { vector: [vector(s, [1], 'x'), 1], control: [s.put(rights(900n)), 24] }), 0],
  ],
  [
    'with too much ancillary data',
    'sendmsg',
    (s) => [pair(s)[0], message(s, { control: [s.room(8), 0x4000_0000] }), 0],
  ],
  [
    'with far too much ancillary data',
    'sendmsg',
    (s) => [pair(s)[0], message(s, { control: [s.room(8), 2 ** 40] }), 0],
  ],
  [
    'with cut ancillary data',
    'sendmsg',
    (s) => [pair(s)[0], message(s, { vector: [vector(s, [1], 'x'), 1], control: [s.put(rights(1n)), 19] }), 0],
  ],
  ['of too many pieces', 'sendmsg', (s) => [pair(s)[0], message(s, { vector: [s.room(16), 1025] }), 0]],
  ['of a bad vector', 'sendmsg', (s) => [pair(s)[0], message(s, { vector: [0n, 2] }), 0]],
  ['of a negative piece', 'sendmsg', (s) => [pair(s)[0], message(s, { vector: [s.put([s.room(8), -1n]), 1] }), 0]],
  ['without a header', 'sendmsg', (s) => [pair(s)[0], 0, 0]],
  ['of nothing to a datagram socket', 'sendmsg', (s) => [pair(s, 2)[0], message(s, {}), 0]],
  [
    'of two messages',
    'sendmmsg',
    (s) => [
      pair(s, 2)[0],
      several(s, { vector: [vector(s, [3], 'one'), 1] }, { vector: [vector(s, [1, 2], 'two'), 2] }),
      2,
      0,
    ],
  ],
  [
    'of a good one and a bad one',
    'sendmmsg',
    (s) => [pair(s, 2)[0], several(s, { vector: [vector(s, [3], 'one'), 1] }, { vector: [s.room(16), 1025] }), 2, 0],
  ],
  ['of none', 'sendmmsg', (s) => [pair(s, 2)[0], s.room(64), 0, 0]],

  ['of pieces', 'recvmsg', (s) => [filled(s, 'a datagram'), message(s, { vector: [vector(s, [4, 100]), 2] }), 0]],
  [
    'of too little room',
    'recvmsg',
    (s) => [filled(s, 'a datagram'), message(s, { vector: [vector(s, [2, 2]), 2] }), 0x20],
  ],
  ['without room', 'recvmsg', (s) => [filled(s, 'a datagram'), message(s, {}), 0x20]],
  [
    'with a source',
    'recvmsg',
    (s) => [filled(s, 'a datagram'), message(s, { name: [s.room(128), 128], vector: [vector(s, [100]), 1] }), 0],
  ],
  [
    'of a descriptor without room',
    'recvmsg',
    (s) => [withDescriptor(s), message(s, { vector: [vector(s, [9]), 1] }), 0],
  ],
  [
    'of a descriptor with too little room',
    'recvmsg',
    (s) => [withDescriptor(s), message(s, { vector: [vector(s, [9]), 1], control: [s.room(16), 16] }), 0],
  ],
  [
    'of nothing',
    'recvmsg',
    (s) => [pair(s)[0], message(s, { vector: [vector(s, [9]), 1], control: [s.room(64), 64] }), 0x40],
  ],
  [
    'with a negative name',
    'recvmsg',
    (s) => [filled(s, 'x'), message(s, { name: [s.room(16), -5], vector: [vector(s, [9]), 1] }), 0],
  ],
  [
    'of two waiting ones',
    'recvmmsg',
    (s) => [
      filled(s, 'one', 'another'),
      several(
        s,
        ...[1, 2, 3].map(
          () => ({ name: [s.room(110), 110], vector: [vector(s, [4, 4]), 2], control: [s.room(32), 32] }) as const,
        ),
      ),
      3,
      0x40,
      0,
    ],
  ],
  [
    'of none',
    'recvmmsg',
    (s) => [pair(s, 2)[0], several(s, { vector: [vector(s, [8]), 1] }), 1, 0x40, s.put([1n, 0n])],
  ],
  [
    'of a bad time',
    'recvmmsg',
    (s) => [pair(s, 2)[0], several(s, { vector: [vector(s, [8]), 1] }), 1, 0x40, s.put([0n, -1n])],
  ],
  ['of a bad vector', 'recvmmsg', (s) => [filled(s, 'one'), several(s, { vector: [s.room(16), 5000] }), 1, 0x40, 0]],

  [
    'of a filter',
    'setsockopt',
    (s) => [s.open('socket', 2, 2, 0), 1, 26, s.put([1n, s.put([0xffff_ffff_0000_0006n])]), 16],
  ],
  ['of a bad filter', 'setsockopt', (s) => [s.open('socket', 2, 2, 0), 1, 26, s.put([1n, s.put([0xffn])]), 16]],
  ['of an empty filter', 'setsockopt', (s) => [s.open('socket', 2, 2, 0), 1, 26, s.put([0n, 0n]), 16]],
  ['of a filter nowhere', 'setsockopt', (s) => [s.open('socket', 2, 2, 0), 1, 26, s.put([1n, 2n ** 63n]), 16]],
  ['SIOCGIFCONF', 'ioctl', (s) => [s.open('socket', 2, 2, 0), 0x8912, s.put([400n, s.room(400)])]],
  ['SIOCGIFCONF that counts', 'ioctl', (s) => [s.open('socket', 2, 2, 0), 0x8912, s.put([0n, 0n])]],
  ['FS_IOC_FIEMAP', 'ioctl', (s) => [pipe(s)[0], 0xc020660b, s.put([0n, 100n, 0n, 2n, ...Array<bigint>(14).fill(0n)])]],
  ['FIGETBSZ', 'ioctl', (s) => [s.open('openat', -100, s.put('/'), 0o200000, 0), 0x2, s.room(4)]],
  ['SIOCGSTAMP of nothing', 'ioctl', (s) => [s.open('socket', 2, 2, 0), 0x8906, s.room(16)]],

  [
    'of the root',
    'name_to_handle_at',
    (s) => [-100, s.put('/'), s.put(int(128, 0, ...Array<number>(32).fill(0))), s.room(4), 0],
  ],
  ['without room', 'name_to_handle_at', (s) => [-100, s.put('/'), s.put(int(0, 0)), s.room(4), 0]],
  ['of too large a room', 'name_to_handle_at', (s) => [-100, s.put('/'), s.put(int(100_000, 0)), s.room(4), 0]],
  ['of a bad handle', 'open_by_handle_at', (s) => [-100, s.put(int(8, 1, 0, 0)), 0]],
  ['of the root file system', 'ustat', (s) => [rootDevice(), s.room(32)]],
  ['of too much', 'fsetxattr', (s) => [pipe(s)[0], s.put('user.x'), s.room(8), 65537, 0]],
  ['of a missing one', 'getxattrat', (s) => [-100, s.put('/'), 0, s.put('user.none'), s.put([s.room(64), 64n]), 16]],
  ['of a bad name', 'setxattrat', (s) => [-100, s.put('/'), 0, s.put('nonsense'), s.put([s.put('value'), 5n]), 16]],

  ['of the limits', 'semctl', (s) => [0, 0, 3, s.room(40)]],
  ['of one', 'semctl', (s) => [set(s, [3, 4]), 1, 12, 0]],
  ['of the owner', 'semctl', (s) => [set(s, [3, 4]), 0, 1, s.put(new Uint8Array(104))]],
  ['of several', 'semop', (s) => [set(s, [3, 4]), s.put(Uint8Array.of(0, 0, 255, 255, 0, 0, 1, 0, 1, 0, 0, 0)), 2]],
  ['of too many', 'semop', (s) => [set(s, [3, 4]), s.room(12), 100_000]],
  ['of absurdly many', 'semop', (s) => [set(s, [3, 4]), s.room(12), 0xffff_ffff]],
  ['of the limits', 'msgctl', (s) => [0, 3, s.room(32)]],
  ['of a negative size', 'msgsnd', (s) => [queue(s), s.put([1n]), -1, 0]],
  ['of the limits', 'shmctl', (s) => [0, 3, s.room(72)]],
  ['of a missing segment', 'shmctl', (s) => [-1, 2, s.room(112)]],

  ['of the process', 'sched_setattr', (s) => [0, s.put([48n, 0n, 0n, 0n, 0n, 0n]), 0]],
  ['of too short a structure', 'sched_setattr', (s) => [0, s.put([8n, 0n, 0n, 0n, 0n, 0n]), 0]],
  ['of too long a structure', 'sched_setattr', (s) => [0, s.put([5000n, 0n, 0n, 0n, 0n, 0n]), 0]],
  ['of nothing to nobody', 'pidfd_send_signal', (s) => [pipe(s)[0], 0, 0, 0]],
  ['to itself', 'pidfd_send_signal', (s) => [s.open('pidfd_open', process.pid, 0), 0, 0, 0]],
  ['of this process', 'kcmp', () => [process.pid, process.pid, 0, 0, 1]],
  ['of modules', 'lsm_list_modules', (s) => [s.room(64), s.put(int(64)), 0]],
  ['of a bad size', 'syslog', () => [10, 0, 0]],
  ['of a name too long', 'sethostname', (s) => [s.room(100), 100]],
  ['of a bad class', 'fanotify_init', () => [0x8000_0000, 0]],
  ['of a bad descriptor', 'fanotify_mark', (s) => [pipe(s)[0], 1, 2, -100, s.put('/')]],
  [
    'with flags',
    'preadv2',
    (s) => [s.open('openat', -100, s.put('/etc/passwd'), 0, 0), vector(s, [10, 20]), 2, 5, 0, 1],
  ],
  ['with unknown flags', 'pwritev2', (s) => [pipe(s)[1], vector(s, [1, 1], 'ab'), 2, -1, -1, 0x8000]],
  ['of an eventfd', 'writev', (s) => [s.open('eventfd2', 0, 0), s.put([s.put([1n]), 8n, s.put([2n]), 8n]), 2]],
  ['of a bad list', 'epoll_wait', (s) => [s.open('epoll_create1', 0), s.room(24), 0x7fff_ffff, 0]],
];

/** The device of the root, as stat shows it. */
function rootDevice(): number {
  return 0xffff_fff0;
}

/** The rehearsal, or undefined, the test being skipped, where this machine cannot even set the stage. */
function tried(t: TestContext, name: string, prepare: Preparation): Rehearsal | undefined {
  try {
    return rehearse(name, prepare);
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    t.skip(error.message);
    return undefined;
  }
}

function compare(t: TestContext, name: string, prepare: Preparation): Rehearsal | undefined {
  const rehearsal = tried(t, name, prepare);
  if (rehearsal === undefined) return undefined;
  const { plain, planned, unwritten, overrun } = rehearsal;
  assert.equal(planned.result, plain.result);
  const differing = [...plain.memory.keys()].filter((i) => plain.memory[i] !== planned.memory[i]);
  assert.deepEqual(differing.slice(0, 20), [], 'offsets of differing bytes');
  assert.deepEqual(unwritten.slice(0, 20), []);
  assert.equal(overrun, false, 'the kernel wrote behind a buffer');
  return rehearsal;
}

const missing = (name: string): string | false => (numberOf(name) < 0 ? `no ${name} on this architecture` : false);

for (const [note, name, prepare] of scenes) {
  test(`${name} ${note} is the same when made by its plan`, { skip: missing(name) }, (t) => {
    compare(t, name, prepare);
  });
}

/** Their results hold the time and the number of times that an id was used. */
const changing: readonly (readonly [name: string, prepare: Preparation])[] = [
  ['semctl', (s) => [set(s, [3, 4]), 0, 2, s.room(104)]],
  ['msgctl', (s) => [queue(s), 2, s.room(120)]],
];

for (const [name, prepare] of changing) {
  test(`${name} writes as much as the table says`, (t) => {
    const rehearsal = tried(t, name, prepare);
    if (rehearsal === undefined) return;
    const { plain, planned, unwritten, overrun } = rehearsal;
    assert.equal(plain.result, 0);
    assert.equal(planned.result, 0);
    assert.deepEqual(unwritten, []);
    assert.equal(overrun, false);
  });
}

test('recvmsg receives a descriptor when made by its plan', (t) => {
  const rehearsal = tried(t, 'recvmsg', (s) => {
    const socket = withDescriptor(s);
    const control = s.room(64);
    return [socket, message(s, { vector: [vector(s, [9]), 1], control: [control, 64] }), 0x40000000];
  });
  if (rehearsal === undefined) return;
  for (const { result, memory } of [rehearsal.plain, rehearsal.planned]) {
    assert.equal(result, 3);
    const control = memory.lastIndexOf(Buffer.from(int(20, 0, 1, 1))); // the sender's is there too
    assert.ok(control > 0, 'no SCM_RIGHTS arrived');
    assert.equal(kernel.callWide(numberOf('close'), [BigInt(memory.readInt32LE(control + 16))]), 0);
  }
});

test('recvmmsg receives datagrams and their sources when made by its plan', (t) => {
  const rehearsal = tried(t, 'recvmmsg', (s) => {
    const room = (): Fields => ({
      name: [s.room(128), 128],
      vector: [vector(s, [8, 8]), 2],
      control: [s.room(64), 64],
    });
    return [receiver(s, 'first one', '', 'third'), several(s, room(), room(), room(), room()), 4, 0x40, 0];
  });
  if (rehearsal === undefined) return;
  assert.equal(rehearsal.plain.result, 3);
  assert.equal(rehearsal.planned.result, 3);
  for (const { memory } of [rehearsal.plain, rehearsal.planned]) {
    const text = memory.toString('latin1');
    assert.ok(text.includes('first on') && text.includes('third'));
  }
  assert.equal(rehearsal.overrun, false);
});

test('scenes succeed where they should', (t) => {
  const wanted = new Map([
    ['sendmsg with a descriptor', 1],
    ['sendmsg with credentials', 1],
    ['sendmmsg of two messages', 2],
    ['recvmmsg of two waiting ones', 2],
    ['setsockopt of a filter', 0],
    ['writev of an eventfd', 16],
    ['semop of several', 0],
    ['preadv2 with flags', 30],
  ]);
  for (const [note, name, prepare] of scenes) {
    const result = wanted.get(`${name} ${note}`);
    if (result !== undefined) assert.equal(tried(t, name, prepare)?.plain.result ?? result, result, `${name} ${note}`);
  }
});
