/** The table and the marshalling against the running kernel: a call made as its plan says does what the plain call does. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';

import { kernel } from './kernel.ts';
import { rehearse, StageError, type Preparation, type Rehearsal, type Stage } from './testing/rehearsal.ts';
import { numberOf } from './syscalls.ts';

const atCurrent = -100;
const [readOnly, readWrite, create, truncate] = [0, 2, 0o100, 0o1000];
const dir = mkdtempSync(join(tmpdir(), 'mosix-calls-'));
const file = join(dir, 'file');
writeFileSync(file, Buffer.from(Array.from({ length: 10_000 }, (_, i) => i % 251)));
symlinkSync('target-of-the-link', join(dir, 'link'));
mkdirSync(join(dir, 'directory'));
for (let i = 0; i < 20; i++) writeFileSync(join(dir, 'directory', `entry-${i}`), '');
after(() => rmSync(dir, { recursive: true }));
after(removeQueue);

const opened = (stage: Stage, flags = readOnly): bigint => stage.open('openat', atCurrent, stage.put(file), flags, 0);
/** Of a file system in which nobody changes how much is free. */
const openedProc = (stage: Stage): bigint => stage.open('openat', atCurrent, stage.put('/proc'), readOnly, 0);
const emptyFile = (stage: Stage): bigint =>
  stage.open('openat', atCurrent, stage.put(join(dir, 'written')), readWrite | create | truncate, 0o644);

/** Two ends as stage-owned descriptors. */
function pair(stage: Stage, name: 'pipe2' | 'socketpair', kind = 1): readonly [bigint, bigint] {
  const ends = stage.room(8);
  if (name === 'pipe2') stage.call('pipe2', ends, 0);
  else stage.call('socketpair', 1, kind, 0, ends);
  return [stage.keep(stage.int(ends)), stage.keep(stage.int(ends + 4n))];
}

/** A pipe or socket with `text` waiting to be read. */
function filled(stage: Stage, text: string, kind?: number): bigint {
  const [reader, writer] = pair(stage, kind === undefined ? 'pipe2' : 'socketpair', kind);
  const [from, to] = kind === undefined ? [writer, reader] : [reader, writer];
  stage.call('write', from, stage.put(text), text.length);
  return to;
}

/** A TCP socket bound to a free port of the loopback, listening. */
function listening(stage: Stage): bigint {
  const socket = stage.open('socket', 2, 1, 0);
  stage.call('bind', socket, stage.put(Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)), 16);
  stage.call('listen', socket, 5);
  return socket;
}

function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function vector(stage: Stage, lengths: readonly number[], content?: string): bigint {
  let at = 0;
  const words = lengths.flatMap((length) => {
    const address = content === undefined ? stage.room(length) : stage.put(Buffer.from(content.slice(at, at + length)));
    at += length;
    return [address, BigInt(length)];
  });
  return stage.put(words);
}

function pollfd(fd: bigint, events: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, Number(fd), true);
  view.setInt16(4, events, true);
  return bytes;
}

function fdSet(fd: bigint): bigint[] {
  return Array.from({ length: 16 }, (_, i) => (Number(fd) >> 6 === i ? 1n << (fd & 63n) : 0n));
}

function epollWith(stage: Stage, fd: bigint): bigint {
  const epoll = stage.open('epoll_create1', 0);
  stage.call('epoll_ctl', epoll, 1, fd, stage.put([1n, 0x1234_5678_9abcn]));
  return epoll;
}

function messageHeader(stage: Stage, iovec: bigint, count: number): bigint {
  return stage.put([0n, 0n, iovec, BigInt(count), 0n, 0n, 0n]);
}

const pseudoTerminal = (stage: Stage): bigint => stage.open('openat', atCurrent, stage.put('/dev/ptmx'), readWrite, 0);

/** [what is special about it, call, stage]. The result and all memory are the same either way. */
const scenes: readonly (readonly [note: string, name: string, prepare: Preparation])[] = [
  ['of a file', 'read', (s) => [opened(s), s.room(5000), 5000]],
  ['at the end of a file', 'pread64', (s) => [opened(s), s.room(5000), 5000, 9990]],
  ['of a bad descriptor', 'read', (s) => [-1, s.room(10), 10]],
  ['of no bytes', 'read', (s) => [opened(s), 0, 0]],
  ['of no bytes to anywhere', 'read', (s) => [opened(s), 0xdead_0000, 0]],
  ['to a null pointer', 'read', (s) => [opened(s), 0, 10]],
  ['to the kernel', 'read', (s) => [opened(s), 0xffff_ffff_8000_0000n, 10]],
  ['of less than asked', 'read', (s) => [filled(s, 'short'), s.room(100), 100]],
  ['to a file', 'write', (s) => [emptyFile(s), s.put('hello'), 5]],
  ['to a file', 'pwrite64', (s) => [emptyFile(s), s.put('hello'), 5, 100]],
  ['into four pieces', 'readv', (s) => [opened(s), vector(s, [10, 0, 3000, 7]), 4]],
  ['that ends in the middle of a piece', 'readv', (s) => [filled(s, 'twelve bytes'), vector(s, [5, 100, 100]), 3]],
  ['of nothing', 'readv', (s) => [opened(s), 0, 0]],
  ['of nothing from a bad descriptor', 'readv', () => [-1, 0, 0]],
  ['of too many pieces', 'readv', (s) => [opened(s), s.room(32), 1025]],
  ['of a negative length', 'readv', (s) => [opened(s), s.put([0n, -1n]), 1]],
  ['of a bad vector', 'readv', (s) => [opened(s), 0, 2]],
  ['of pieces', 'writev', (s) => [emptyFile(s), vector(s, [3, 5, 4], 'a vector of text'), 3]],
  ['of nothing to a socket', 'writev', (s) => [pair(s, 'socketpair', 2)[0], s.put([0n, 0n]), 1]],
  ['from a place', 'preadv', (s) => [opened(s), vector(s, [100, 100]), 2, 9850, 0]],
  ['to a place', 'pwritev', (s) => [emptyFile(s), vector(s, [3, 5], 'positioned'), 2, 77, 0]],
  ['from the current place', 'preadv2', (s) => [opened(s), vector(s, [100, 50]), 2, -1, -1, 0]],
  ['to a place', 'pwritev2', (s) => [emptyFile(s), vector(s, [3, 5], 'positioned'), 2, 5, 0, 0]],
  ['with an offset', 'sendfile', (s) => [pair(s, 'pipe2')[1], opened(s), s.put([50n]), 100]],
  ['with offsets', 'copy_file_range', (s) => [opened(s), s.put([50n]), emptyFile(s), s.put([3n]), 100, 0]],
  ['with an offset', 'splice', (s) => [opened(s), s.put([500n]), pair(s, 'pipe2')[1], 0, 100, 0]],
  ['of a file', 'lseek', (s) => [opened(s), 100, 1]],
  ['of the cache', 'cachestat', (s) => [opened(s), s.put([0n, 4096n]), s.room(40), 0]],

  ['of a file', 'openat', (s) => [atCurrent, s.put('/no/such/file'), 0, 0]],
  ['of a name too long', 'openat', (s) => [atCurrent, s.put('x'.repeat(5000)), 0, 0]],
  ['of the longest name', 'openat', (s) => [atCurrent, s.put('x/'.repeat(2047) + 'x'), 0, 0]],
  ['with a structure', 'openat2', (s) => [atCurrent, s.put('/no/such/file'), s.put([0n, 0n, 0n]), 24]],
  ['of a symbolic link', 'readlinkat', (s) => [atCurrent, s.put(join(dir, 'link')), s.room(100), 100]],
  ['into too little room', 'readlinkat', (s) => [atCurrent, s.put(join(dir, 'link')), s.room(6), 6]],
  ['into a negative room', 'readlinkat', (s) => [atCurrent, s.put(join(dir, 'link')), s.room(6), -6]],
  ['of a path', 'newfstatat', (s) => [atCurrent, s.put(file), s.room(144), 0]],
  ['of a missing path', 'newfstatat', (s) => [atCurrent, s.put('/no/such/file'), s.room(144), 0]],
  ['of a descriptor', 'fstat', (s) => [opened(s), s.room(144)]],
  ['of a path', 'statx', (s) => [atCurrent, s.put(file), 0, 0xfff, s.room(256)]],
  ['of a descriptor', 'fstatfs', (s) => [openedProc(s), s.room(120)]],
  ['of a path', 'statfs', (s) => [s.put('/proc'), s.room(120)]],
  ['of a path', 'faccessat', (s) => [atCurrent, s.put(file), 4]],
  ['into enough room', 'getcwd', (s) => [s.room(4096), 4096]],
  ['into too little room', 'getcwd', (s) => [s.room(1), 1]],
  ['of a time', 'utimensat', (s) => [atCurrent, s.put(file), s.put([1n, 2n, 3n, 4n]), 0]],
  ['of a size', 'ftruncate', (s) => [emptyFile(s), 100]],
  ['of a missing attribute', 'fgetxattr', (s) => [opened(s), s.put('user.none'), s.room(100), 100]],
  ['of an attribute', 'fsetxattr', (s) => [emptyFile(s), s.put('user.test'), s.put('value'), 5, 0]],
  ['of the names', 'flistxattr', (s) => [opened(s), s.room(100), 100]],
  ['without room', 'flistxattr', (s) => [opened(s), 0, 0]],
  ['of a file', 'file_getattr', (s) => [atCurrent, s.put(file), s.room(24), 24, 0]],

  ['of text', 'sendto', (s) => [pair(s, 'socketpair', 2)[0], s.put('datagram'), 8, 0, 0, 0]],
  ['to an address too long', 'sendto', (s) => [pair(s, 'socketpair', 2)[0], s.put('datagram'), 8, 0, s.room(200), 200]],
  ['with an address', 'recvfrom', (s) => [filled(s, 'datagram', 2), s.room(100), 100, 0, s.room(128), s.put(int(128))]],
  ['without an address', 'recvfrom', (s) => [filled(s, 'datagram', 2), s.room(100), 100, 0, 0, 0]],
  ['of a cut datagram', 'recvfrom', (s) => [filled(s, 'datagram', 2), s.room(3), 3, 0x20, 0, 0]],
  [
    'of a vector',
    'sendmsg',
    (s) => [pair(s, 'socketpair', 2)[0], messageHeader(s, vector(s, [3, 4], 'message'), 2), 0],
  ],
  ['of nothing', 'sendmsg', (s) => [pair(s, 'socketpair', 2)[0], messageHeader(s, 0n, 0), 0]],
  ['of a full address', 'getsockname', (s) => [s.open('socket', 2, 2, 0), s.room(128), s.put(int(128))]],
  ['of part of an address', 'getsockname', (s) => [listening(s), s.room(16), s.put(int(2))]],
  ['with no room', 'getsockname', (s) => [listening(s), s.room(16), s.put(int(0))]],
  ['with a negative room', 'getsockname', (s) => [listening(s), s.room(16), s.put(int(-1))]],
  ['without a length', 'getsockname', (s) => [listening(s), s.room(16), 0]],
  ['without a peer', 'getpeername', (s) => [listening(s), s.room(128), s.put(int(128))]],
  ['of an int', 'getsockopt', (s) => [listening(s), 1, 3, s.room(4), s.put(int(4))]],
  ['of a structure', 'getsockopt', (s) => [pair(s, 'socketpair', 1)[0], 1, 17, s.room(64), s.put(int(64))]],
  ['of an int', 'setsockopt', (s) => [listening(s), 1, 2, s.put(int(1)), 4]],
  ['of a negative length', 'setsockopt', (s) => [listening(s), 1, 2, s.put(int(1)), -1]],
  ['to nobody', 'connect', (s) => [s.open('socket', 1, 1, 0), s.put(Buffer.from('\x01\0/no/such/socket\0')), 18]],
  ['to an address too long', 'connect', (s) => [s.open('socket', 1, 1, 0), s.room(200), 200]],
  ['without a peer', 'accept4', (s) => [s.open('socket', 2, 0x801, 0), s.room(16), s.put(int(16)), 0]],

  ['of a pipe', 'ppoll', (s) => [s.put(pollfd(filled(s, 'text'), 1)), 1, s.put([0n, 0n]), 0, 8]],
  ['of nothing', 'ppoll', (s) => [0, 0, s.put([0n, 1000n]), 0, 8]],
  ['of a pipe', 'pselect6', (s) => selectArguments(s, s.put([0n, 8n]))],
  ['of a bad descriptor', 'pselect6', (s) => [500, s.put(fdSet(499n)), 0, 0, s.put([0n, 0n]), 0]],
  ['of a pipe', 'epoll_pwait', (s) => [epollWith(s, filled(s, 'text')), s.room(160), 10, 0, 0, 8]],
  ['of no room', 'epoll_pwait', (s) => [epollWith(s, filled(s, 'text')), s.room(160), 0, 0, 0, 8]],
  ['of nothing', 'epoll_pwait2', (s) => [epollWith(s, pair(s, 'pipe2')[0]), s.room(160), 10, s.put([0n, 1000n]), 0, 8]],
  ['that deletes', 'epoll_ctl', deletion],
  ['of a file', 'inotify_add_watch', (s) => [s.open('inotify_init1', 0), s.put(dir), 0x100]],

  ['for a moment', 'nanosleep', (s) => [s.put([0n, 1000n]), s.room(16)]],
  ['of a bad time', 'nanosleep', (s) => [s.put([0n, 1_000_000_000n]), s.room(16)]],
  ['until the past', 'clock_nanosleep', (s) => [1, 1, s.put([0n, 1n]), 0]],
  ['when none runs', 'getitimer', (s) => [0, s.room(32)]],
  ['of nothing', 'setitimer', (s) => [0, s.put([0n, 0n, 0n, 0n]), s.room(32)]],
  ['of a timer', 'timerfd_gettime', (s) => [s.open('timerfd_create', 1, 0), s.room(32)]],
  ['of a timer', 'timerfd_settime', (s) => [s.open('timerfd_create', 1, 0), 0, s.put([0n, 0n, 0n, 0n]), s.room(32)]],
  ['of a path', 'stat', (s) => [s.put(file), s.room(144)]],
  ['of a link', 'lstat', (s) => [s.put(join(dir, 'link')), s.room(144)]],
  ['of a path', 'access', (s) => [s.put(file), 2]],
  ['of a link', 'readlink', (s) => [s.put(join(dir, 'link')), s.room(100), 100]],
  ['of a pipe', 'poll', (s) => [s.put(pollfd(filled(s, 'text'), 1)), 1, 0]],
  ['of a pipe', 'select', (s) => selectArguments(s, 0n)],
  ['of a pipe', 'epoll_wait', (s) => [epollWith(s, filled(s, 'text')), s.room(120), 10, 0]],
  ['of the parent', 'getppid', () => []],
  ['of a descriptor', 'dup3', (s) => [opened(s), s.keep(900), 0]],

  ['of the process', 'getresuid', (s) => [s.room(4), s.room(4), s.room(4)]],
  ['of the process', 'getresgid', (s) => [s.room(4), s.room(4), s.room(4)]],
  ['without room', 'getgroups', () => [0, 0]],
  ['with room', 'getgroups', (s) => [64, s.room(256)]],
  ['of the process', 'capget', (s) => [s.put(Uint8Array.of(0x22, 5, 8, 0x20, 0, 0, 0, 0)), s.room(24)]],
  ['of a bad version', 'capget', (s) => [s.put(Uint8Array.of(9, 9, 9, 9, 0, 0, 0, 0)), s.room(24)]],
  ['of the machine', 'uname', (s) => [s.room(390)]],
  ['of the process', 'sched_getaffinity', (s) => [0, 1024, s.room(1024)]],
  ['of an odd length', 'sched_getaffinity', (s) => [0, 3, s.room(1024)]],
  ['of the process', 'sched_getparam', (s) => [0, s.room(4)]],
  ['of the process', 'sched_rr_get_interval', (s) => [0, s.room(16)]],
  ['of the process', 'sched_getattr', (s) => [0, s.room(64), 64, 0]],
  ['of the process', 'getrlimit', (s) => [7, s.room(16)]],
  ['of the process', 'prctl', (s) => [37, s.room(4), 0, 0, 0]],
  ['of nobody', 'waitid', (s) => [1, 1, s.room(128), 5, s.room(144)]],
  ['of nobody', 'wait4', (s) => [1, s.room(4), 1, s.room(144)]],

  ['FIONREAD', 'ioctl', (s) => [filled(s, 'seven b'), 0x541b, s.room(4)]],
  ['FIONBIO', 'ioctl', (s) => [filled(s, 'text'), 0x5421, s.put(int(1))]],
  ['FIOCLEX', 'ioctl', (s) => [filled(s, 'text'), 0x5451, 0]],
  ['TCGETS', 'ioctl', (s) => [pseudoTerminal(s), 0x5401, s.room(36)]],
  ['TCGETS of a file', 'ioctl', (s) => [opened(s), 0x5401, s.room(36)]],
  ['TCGETS2', 'ioctl', (s) => [pseudoTerminal(s), 0x802c542a, s.room(44)]],
  ['TIOCGWINSZ', 'ioctl', (s) => [pseudoTerminal(s), 0x5413, s.room(8)]],
  ['TIOCSWINSZ', 'ioctl', (s) => [pseudoTerminal(s), 0x5414, s.put([0x0050_0018n])]],
  ['TIOCSPTLCK', 'ioctl', (s) => [pseudoTerminal(s), 0x40045431, s.put(int(0))]],
  ['SIOCGIFMTU', 'ioctl', (s) => [s.open('socket', 2, 2, 0), 0x8921, s.put(Buffer.from('lo'.padEnd(40, '\0')))]],
  ['FS_IOC_GETFLAGS', 'ioctl', (s) => [opened(s), 0x80086601, s.room(8)]],
  ['F_GETFL', 'fcntl', (s) => [opened(s), 3, 0]],
  ['F_GETLK', 'fcntl', (s) => [emptyFile(s), 5, s.put([1n, 0n, 100n, 0n])]],
  ['F_OFD_SETLK', 'fcntl', (s) => [emptyFile(s), 37, s.put([1n, 0n, 100n, 0n])]],
  ['F_GETOWN_EX', 'fcntl', (s) => [filled(s, 'text'), 16, s.room(8)]],
  ['F_SETPIPE_SZ', 'fcntl', (s) => [filled(s, 'text'), 1031, 8192]],
  ['of an empty queue', 'msgrcv', (s) => [queue(s, 0), s.room(64), 32, 0, 0o4000]],
  ['of a message', 'msgrcv', (s) => [queue(s, 1), s.room(64), 32, 0, 0o4000]],
  ['of no attributes', 'mq_open', (s) => [s.put('no-such-queue-here'), 0, 0, 0]],
];

function selectArguments(stage: Stage, mask: bigint): readonly (number | bigint)[] {
  const pipe = filled(stage, 'text');
  return [Number(pipe) + 1, stage.put(fdSet(pipe)), 0, stage.put(fdSet(0n)), stage.put([0n, 0n]), mask];
}

/** A listening socket with one connection waiting. */
function connected(stage: Stage): bigint {
  const socket = listening(stage);
  const [name, length] = [stage.room(16), stage.put(int(16))];
  stage.call('getsockname', socket, name, length);
  stage.call('connect', stage.open('socket', 2, 1, 0), name, 16);
  return socket;
}

function deletion(stage: Stage): readonly (number | bigint)[] {
  const pipe = filled(stage, 'text');
  return [epollWith(stage, pipe), 2, pipe, 0xdead_0000];
}

/** Key of the System V queue of this test. */
const queueKey = 0x6d6f7378n;

function removeQueue(): void {
  const id = kernel.callWide(numberOf('msgget'), [queueKey, 0n]);
  if (id >= 0) kernel.callWide(numberOf('msgctl'), [BigInt(id), 0n, 0n]);
}

/** A new queue with so many messages in it. */
function queue(stage: Stage, messages: number): number {
  removeQueue();
  const id = stage.call('msgget', queueKey, 0o1600);
  for (let i = 0; i < messages; i++) stage.call('msgsnd', id, stage.put([5n, 0x6f6c6c6568n]), 5, 0);
  return id;
}

function differences(one: Buffer, other: Buffer): number[] {
  if (one.equals(other)) return [];
  return [...one.keys()].filter((i) => one[i] !== other[i]).slice(0, 20);
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

const missing = (name: string): string | false => (numberOf(name) < 0 ? `no ${name} on this architecture` : false);

for (const [note, name, prepare] of scenes) {
  test(`${name} ${note} is the same when made by its plan`, { skip: missing(name) }, (t) => {
    const rehearsal = tried(t, name, prepare);
    if (rehearsal === undefined) return;
    const { plain, planned, unwritten, overrun } = rehearsal;
    assert.equal(planned.result, plain.result);
    assert.deepEqual(differences(plain.memory, planned.memory), [], 'offsets of differing bytes');
    assert.deepEqual(unwritten.slice(0, 20), []);
    assert.equal(overrun, false, 'the kernel wrote behind a buffer');
  });
}

/** Calls whose results change by themselves: only the extent of what the kernel writes can be compared. */
const changing: readonly (readonly [name: string, prepare: Preparation])[] = [
  ['sysinfo', (s) => [s.room(112)]],
  ['pipe2', (s) => [s.room(8), 0]],
  ['socketpair', (s) => [1, 1, 0, s.room(8)]],
  ['accept4', (s) => [connected(s), s.room(128), s.put(int(128)), 0]],
  ['adjtimex', (s) => [s.put(new Uint8Array(208))]],
  ['clock_adjtime', (s) => [0, s.put(new Uint8Array(208))]],
  ['getsockname', (s) => [listening(s), s.room(128), s.put(int(128))]],
  ['ioctl', (s) => [pseudoTerminal(s), 0x80045430, s.room(4)]],
];

for (const [name, prepare] of changing) {
  test(`${name} writes what the table says`, { skip: missing(name) }, (t) => {
    const rehearsal = tried(t, name, prepare);
    if (rehearsal === undefined) return;
    const { plain, planned, unwritten, overrun } = rehearsal;
    assert.ok(plain.result >= 0, `plain result ${plain.result}`);
    assert.ok(planned.result >= 0, `planned result ${planned.result}`);
    assert.deepEqual(unwritten, []);
    assert.equal(overrun, false, 'the kernel wrote behind a buffer');
  });
}

test('getdents64 lists the same entries when made by its plan, though not the same padding between them', () => {
  const { plain, planned, overrun } = rehearse('getdents64', (s) => {
    const directory = s.open('openat', atCurrent, s.put(join(dir, 'directory')), 0o200000, 0);
    return [directory, s.room(4096), 4096];
  });
  const namesIn = (memory: Buffer): string[] => memory.toString('latin1').match(/entry-\d+/g) ?? [];
  assert.equal(planned.result, plain.result);
  assert.equal(namesIn(plain.memory).length, 20);
  assert.deepEqual(namesIn(planned.memory), namesIn(plain.memory));
  assert.equal(overrun, false);
});

test('scenes cover 80 calls', () => {
  const rehearsed = new Set([...scenes.map(([, name]) => name), ...changing.map(([name]) => name)]);
  assert.ok(rehearsed.size >= 80, `${rehearsed.size} calls`);
});
