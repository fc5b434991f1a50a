import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import {
  isProcSelf,
  noArgument,
  planCall,
  planForwarded,
  type BodyMemory,
  type ForwardPlan,
  type Plan,
} from './marshal.ts';
import type { Architecture } from './syscall_numbers.ts';
import { describe, descriptionsOf, numberOf } from './syscalls.ts';

const base = 0x7000_0000;

/** A body whose memory is these bytes at `base`, and nothing else. */
function body(...contents: readonly (string | Uint8Array | readonly bigint[])[]): BodyMemory {
  const bytes = Buffer.concat(
    contents.map((each) => {
      if (typeof each === 'string') return Buffer.from(each, 'latin1');
      return each instanceof Uint8Array ? each : Buffer.from(BigUint64Array.from(each).buffer);
    }),
  );
  return {
    read: (address, length) => {
      const offset = address - base;
      return offset >= 0 && offset + length <= bytes.length ? bytes.subarray(offset, offset + length) : undefined;
    },
  };
}

const room = body(new Uint8Array(65536));
const at = BigInt(base);

interface Options {
  readonly memory?: BodyMemory;
  readonly arch?: Architecture;
}

function plan(name: string, args: readonly bigint[], { memory = room, arch = 'x64' }: Options = {}): Plan {
  return planCall(numberOf(name, arch), args, memory, arch);
}

function forwarded(name: string, args: readonly bigint[], options: Options = {}): ForwardPlan {
  const found = plan(name, args, options);
  return found.kind === 'forward' ? found : assert.fail(`${name}: ${JSON.stringify(found)}`);
}

const buffersOf = (name: string, args: readonly bigint[], options?: Options): unknown[] =>
  forwarded(name, args, options).buffers.map((each) => [
    each.argument,
    each.address - base,
    each.length,
    each.direction,
    each.filled,
    each.unit,
  ]);

/** The call with a pointer that is bad at home, too, in the place of one that is bad here. */
function badPointer(found: Plan, argument: number): void {
  assert.ok(
    found.kind === 'forward',
    JSON.stringify(found, (_, each) => (typeof each === 'bigint' ? `${each}n` : each)),
  );
  assert.equal(found.args[argument], 1n);
  assert.ok(found.buffers.every((each) => each.argument !== argument));
}

function comesHome(found: Plan, reason: string): void {
  assert.deepEqual(found, { kind: 'come-home', reason });
}

test('planCall keeps the arguments and says where the buffers are', () => {
  const found = forwarded('read', [3n, at, 100n]);
  assert.equal(found.nr, 0);
  assert.deepEqual(found.args, [3n, at, 100n, 0n, 0n, 0n]);
  assert.deepEqual(found.buffers, [
    { argument: 1, address: base, length: 100, direction: 'out', filled: 'result', unit: 1 },
  ]);
});

test('planCall passes 64-bit values through exactly', () => {
  const big = 0xfedc_ba98_7654_3211n;
  assert.deepEqual(forwarded('lseek', [3n, big, 0n]).args, [3n, big, 0n, 0n, 0n, 0n]);
  assert.equal(forwarded('lseek', [3n, -5n, 0n]).args[1], 2n ** 64n - 5n);
});

test('planCall knows the sizes of the architecture', () => {
  assert.deepEqual(buffersOf('fstat', [3n, at], { arch: 'x64' }), [[1, 0, 144, 'out', 'whole', 1]]);
  assert.deepEqual(buffersOf('fstat', [3n, at], { arch: 'arm64' }), [[1, 0, 128, 'out', 'whole', 1]]);
  assert.deepEqual(buffersOf('epoll_pwait', [3n, at, 10n], { arch: 'x64' }), [[1, 0, 120, 'out', 'result', 12]]);
  assert.deepEqual(buffersOf('epoll_pwait', [3n, at, 10n], { arch: 'arm64' }), [[1, 0, 160, 'out', 'result', 16]]);
});

test('planCall measures strings to their NUL, across pages', () => {
  assert.deepEqual(buffersOf('chdir', [at], { memory: body('/tmp\0rest', new Uint8Array(4096)) }), [
    [0, 0, 5, 'string', 'whole', 1],
  ]);
  const long = 'a'.repeat(3000);
  const memory = body(new Uint8Array(4000), `${long}\0`, new Uint8Array(4096));
  assert.deepEqual(buffersOf('chdir', [at + 4000n], { memory }), [[0, 4000, 3001, 'string', 'whole', 1]]);
});

test('planCall takes a string that ends with its memory', () => {
  const memory: BodyMemory = {
    read: (address, length) =>
      address === base + 4090 ? Buffer.from('/tmp\0') : length === 0 ? new Uint8Array() : undefined,
  };
  assert.deepEqual(buffersOf('chdir', [at + 4090n], { memory }), [[0, 4090, 5, 'string', 'whole', 1]]);
});

test('planCall passes a bad pointer for a string that runs into nothing', () => {
  badPointer(plan('chdir', [at], { memory: body('never ends') }), 0);
  const short: BodyMemory = { read: () => Buffer.from('short') };
  badPointer(plan('chdir', [at], { memory: short }), 0);
});

test('planCall sends 4096 bytes of a string that is too long, without a NUL', () => {
  const memory = body('a'.repeat(10_000));
  assert.deepEqual(buffersOf('chdir', [at], { memory }), [[0, 0, 4096, 'string', 'whole', 1]]);
});

test('planCall leaves null pointers and empty buffers to the kernel', () => {
  assert.deepEqual(forwarded('utimensat', [3n, 0n, 0n, 0n]).buffers, []);
  assert.deepEqual(forwarded('write', [1n, 0xdead_0000n, 0n]).buffers, []);
  assert.equal(forwarded('write', [1n, 0xdead_0000n, 0n]).args[1], 0xdead_0000n);
});

test('planCall passes a bad pointer for an address beyond user space, and the other arguments as they are', () => {
  badPointer(plan('write', [1n, 0xffff_8000_0000_0000n, 1n]), 1);
  badPointer(plan('chdir', [2n ** 48n]), 0);
  const status = plan('wait4', [1n, 2n ** 63n, 0n, at]);
  badPointer(status, 1);
  assert.equal(status.kind === 'forward' && status.buffers[0].argument, 3);
});

test('planCall reads lengths in the types that the kernel gives them', () => {
  assert.deepEqual(buffersOf('connect', [3n, at, 0xffff_ffff_0000_0010n]), [[1, 0, 16, 'in', 'whole', 1]]);
  assert.deepEqual(buffersOf('connect', [3n, at, 0xffff_fff0n]), []);
  assert.deepEqual(buffersOf('connect', [3n, at, 4096n]), [[1, 0, 128, 'in', 'whole', 1]]);
  assert.deepEqual(buffersOf('getdents64', [3n, at, 0xffff_ffff_0000_8000n]), [[1, 0, 32768, 'out', 'result', 1]]);
  assert.deepEqual(buffersOf('getgroups', [10n, at]), [[1, 0, 40, 'out', 'result', 4]]);
  assert.deepEqual(buffersOf('msgsnd', [1n, at, 100n]), [[1, 0, 108, 'in', 'whole', 1]]);
});

test('planCall takes the length of an address from where it points', () => {
  const memory = (length: number): BodyMemory =>
    body(new Uint8Array(Int32Array.of(length).buffer), new Uint8Array(256));
  const name = (length: number): unknown[] => buffersOf('getsockname', [3n, at + 4n, at], { memory: memory(length) });
  const length = [2, 0, 4, 'inout', 'whole', 1];
  assert.deepEqual(name(16), [[1, 4, 16, 'inout', 'whole', 1], length]);
  assert.deepEqual(name(100_000), [[1, 4, 128, 'inout', 'whole', 1], length]);
  assert.deepEqual(name(-1), [length]);
  badPointer(plan('getsockname', [3n, at, 0x1000n]), 1);
  assert.deepEqual(buffersOf('getsockname', [3n, at, 0n]), []);
  assert.deepEqual(forwarded('accept', [3n, 0n, 0x1000n]).args, [3n, 0n, 0n, 0n, 0n, 0n]);
  assert.deepEqual(buffersOf('recvfrom', [3n, at, 10n, 0n, 0n, 0x1000n]), [[1, 0, 10, 'out', 'result', 1]]);
});

test('planCall takes as much of an fd_set as the descriptors need', () => {
  const set = (count: bigint): unknown[] =>
    buffersOf('select', [count, at, 0n, at + 256n, 0n]).map((each) => (each as number[])[2]);
  assert.deepEqual(set(1n), [8, 8]);
  assert.deepEqual(set(64n), [8, 8]);
  assert.deepEqual(set(65n), [16, 16]);
  assert.deepEqual(set(1024n), [128, 128]);
  assert.deepEqual(set(0n), []);
  assert.deepEqual(set(0xffff_ffffn), []);
});

test('planCall moves at most what the kernel moves in one call', () => {
  const found = forwarded('write', [1n, at, 2n ** 64n - 1n]);
  assert.equal(found.args[2], 0x7ffff000n);
  assert.equal(found.buffers[0].length, 0x7ffff000);
  assert.equal(forwarded('read', [1n, at, 0x7ffff000n]).buffers[0].length, 0x7ffff000);
});

test('planCall brings absurdly large buffers of other calls home', () => {
  comesHome(plan('poll', [at, 0x7fff_ffffn, 0n]), 'poll with a buffer of 17179869176 bytes');
  comesHome(plan('setsockopt', [3n, 1n, 2n, at, 0x7fff_ffffn]), 'setsockopt with a buffer of 2147483647 bytes');
});

test('planCall sends nothing of a buffer that the kernel refuses unread', () => {
  badPointer(plan('poll', [at, 0xffff_ffffn, 0n]), 0);
  badPointer(plan('semop', [1n, at, 0xffff_ffffn]), 1);
  badPointer(plan('fsetxattr', [3n, at, at, 65537n], { memory: body('user.x\0', new Uint8Array(70_000)) }), 2);
  badPointer(plan('mq_timedsend', [3n, at, 2n ** 40n]), 1);
  assert.deepEqual(buffersOf('msgsnd', [3n, at, 2n ** 63n]), [[1, 0, 8, 'in', 'whole', 1]]);
  badPointer(plan('epoll_wait', [3n, at, 0x7fff_ffffn, 0n]), 1);
});

test('planCall asks for no more than fits, where less is as good', () => {
  assert.equal(forwarded('epoll_wait', [3n, at, 1_000_000n, 0n]).args[2], 8192n);
  assert.equal(forwarded('getdents64', [3n, at, 1_000_000n]).args[2], 65536n);
  assert.equal(forwarded('getdents64', [3n, at, 300n]).args[2], 300n);
});

test('planCall takes the length of a structure from the structure', () => {
  const sized = (size: number): BodyMemory => body(new Uint8Array(Int32Array.of(size).buffer), new Uint8Array(200));
  assert.deepEqual(buffersOf('sched_setattr', [0n, at, 0n], { memory: sized(56) }), [[1, 0, 56, 'inout', 'whole', 1]]);
  assert.deepEqual(buffersOf('sched_setattr', [0n, at, 0n], { memory: sized(0) }), [[1, 0, 48, 'inout', 'whole', 1]]);
  assert.deepEqual(buffersOf('sched_setattr', [0n, at, 0n], { memory: sized(5000) }), [
    [1, 0, 48, 'inout', 'whole', 1],
  ]);
  assert.deepEqual(buffersOf('open_by_handle_at', [3n, at, 0n], { memory: sized(5000) }), [
    [1, 0, 8, 'in', 'whole', 1],
  ]);
  assert.deepEqual(buffersOf('open_by_handle_at', [3n, at, 0n], { memory: sized(20) }), [[1, 0, 28, 'in', 'whole', 1]]);
  assert.deepEqual(
    buffersOf('ioctl', [3n, 0xc020_660bn, at], {
      memory: body(new Uint8Array(24), new Uint8Array(Int32Array.of(2).buffer)),
    }),
    [[2, 0, 144, 'inout', 'whole', 56]],
  );
});

test('planCall writes the rest of an interrupted sleep back', () => {
  assert.deepEqual(buffersOf('nanosleep', [at, at + 16n]), [
    [0, 0, 16, 'in', 'whole', 1],
    [1, 16, 16, 'inout', 'whole', 1],
  ]);
});

test('planCall plans ioctl by its request', () => {
  assert.deepEqual(buffersOf('ioctl', [0n, 0x5401n, at]), [[2, 0, 36, 'out', 'whole', 1]]);
  assert.deepEqual(buffersOf('ioctl', [0n, 0xffff_ffff_0000_5413n, at]), [[2, 0, 8, 'out', 'whole', 1]]);
  assert.deepEqual(plan('ioctl', [0n, 0x5410n, at]), { kind: 'special', name: 'ioctl' });
  assert.deepEqual(buffersOf('ioctl', [0n, 0x5451n, at]), []);
  assert.deepEqual(buffersOf('ioctl', [0n, 0x802c542an, at]), [[2, 0, 44, 'out', 'whole', 1]]);
  comesHome(plan('ioctl', [0n, 0xc0104b01n, at]), 'ioctl 0xc0104b01');
});

test('planCall plans fcntl by its command', () => {
  assert.deepEqual(buffersOf('fcntl', [3n, 5n, at]), [[2, 0, 32, 'inout', 'whole', 1]]);
  assert.deepEqual(buffersOf('fcntl', [3n, 38n, at]), [[2, 0, 32, 'in', 'whole', 1]]);
  assert.deepEqual(buffersOf('fcntl', [3n, 3n, at]), []);
  comesHome(plan('fcntl', [3n, 99n, at]), 'fcntl 0x63');
});

test('planCall plans prctl by its option', () => {
  assert.deepEqual(plan('prctl', [15n, at]), { kind: 'special', name: 'prctl' });
  assert.deepEqual(buffersOf('prctl', [37n, at]), [[1, 0, 4, 'out', 'whole', 1]]);
  assert.deepEqual(buffersOf('prctl', [1n, 9n]), []);
  comesHome(plan('prctl', [22n, 2n, at]), 'prctl 0x16');
});

test('planCall plans IPC control by its command', () => {
  assert.deepEqual(forwarded('semctl', [1n, 0n, 16n, 5n]).args, [1n, 0n, 16n, 5n, 0n, 0n]);
  assert.deepEqual(plan('semctl', [1n, 0n, 13n, at]), { kind: 'special', name: 'semctl' });
  assert.deepEqual(buffersOf('semctl', [1n, 0n, 2n, at]), [[3, 0, 104, 'out', 'whole', 1]]);
  comesHome(plan('semctl', [1n, 0n, 99n, at]), 'semctl 0x63');
  assert.deepEqual(buffersOf('shmctl', [1n, 0n, 0n]), []);
  assert.deepEqual(buffersOf('msgctl', [1n, 2n, at]), [[2, 0, 120, 'out', 'whole', 1]]);
});

test('planCall takes a socket filter along and brings other options with pointers inside home', () => {
  const filter = forwarded('setsockopt', [3n, 1n, 26n, at, 16n], { memory: body([2n, 0x5000n]) });
  assert.deepEqual(
    filter.buffers.map(({ argument, address, length }) => [argument, address, length]),
    [
      [3, 0, 16],
      [255, 0x5000, 16],
    ],
  );
  assert.deepEqual(filter.pointers, [{ holder: 0, target: 1, offset: 8, stride: 8, count: 1 }]);
  comesHome(plan('getsockopt', [3n, 1n, 26n, at, at]), 'getsockopt 1:26');
  comesHome(plan('getsockopt', [3n, 6n, 35n, at, at]), 'getsockopt 6:35');
  assert.deepEqual(buffersOf('setsockopt', [3n, 6n, 1n, at, 4n]), [[3, 0, 4, 'in', 'whole', 1]]);
});

test('planCall keeps waits with a signal mask special', () => {
  const special = (name: string): Plan => ({ kind: 'special', name });
  assert.deepEqual(plan('ppoll', [0n, 0n, 0n, at, 8n]), special('ppoll'));
  assert.equal(plan('ppoll', [0n, 0n, 0n, 0n, 8n]).kind, 'forward');
  assert.deepEqual(plan('epoll_pwait', [3n, at, 1n, 0n, at, 8n]), special('epoll_pwait'));
  assert.deepEqual(plan('epoll_pwait2', [3n, at, 1n, 0n, at, 8n]), special('epoll_pwait2'));
  const masked = body([at, 8n]);
  assert.deepEqual(plan('pselect6', [0n, 0n, 0n, 0n, 0n, at], { memory: masked }), special('pselect6'));
  const unmasked = forwarded('pselect6', [0n, 0n, 0n, 0n, 0n, at], { memory: body([0n, 8n]) });
  assert.equal(unmasked.args[5], 0n);
  badPointer(plan('pselect6', [0n, 0n, 0n, 0n, 0n, 0x1000n]), 5);
});

test('planCall ignores the event of an epoll_ctl that deletes', () => {
  assert.equal(forwarded('epoll_ctl', [3n, 2n, 4n, 0x1000n]).args[3], 0n);
  assert.deepEqual(buffersOf('epoll_ctl', [3n, 1n, 4n, at]), [[3, 0, 12, 'in', 'whole', 1]]);
});

test('planCall brings sleeps by CPU time home and leaves timers of it where the body is', () => {
  comesHome(plan('clock_nanosleep', [0xffff_fffan, 0n, at, 0n]), 'clock_nanosleep of CPU time');
  assert.deepEqual(plan('setitimer', [2n, at, 0n]), { kind: 'special', name: 'setitimer' });
  assert.deepEqual(plan('getitimer', [1n, at]), { kind: 'special', name: 'getitimer' });
  assert.equal(plan('setitimer', [0n, at, 0n]).kind, 'forward');
  assert.deepEqual(plan('timer_create', [1n, 0n, at]), { kind: 'special', name: 'timer_create' });
  assert.deepEqual(plan('clock_gettime', [2n, at]), { kind: 'special', name: 'clock_gettime' });
});

test('planCall brings real-time scheduling and changes of personality home', () => {
  comesHome(plan('sched_setscheduler', [0n, 1n, at]), 'real-time scheduling');
  comesHome(plan('sched_setscheduler', [0n, 0x4000_0002n, at]), 'real-time scheduling');
  assert.deepEqual(buffersOf('sched_setscheduler', [0n, 3n, at]), [[2, 0, 4, 'in', 'whole', 1]]);
  comesHome(plan('personality', [0x0040000n]), 'a change of personality');
  assert.equal(plan('personality', [0xffff_ffffn]).kind, 'forward');
});

test('planCall tells advice about guard regions from other advice that traps', () => {
  assert.deepEqual(plan('madvise', [at, 4096n, 102n]), { kind: 'special', name: 'madvise' });
  comesHome(plan('madvise', [at, 4096n, 9n]), 'madvise 9');
});

test('planCall takes the cookie of a message queue along that notifies a thread', () => {
  const event = (notify: number): BodyMemory =>
    body(new Uint8Array(Int32Array.of(0x5000, 0, 10, notify, ...Array<number>(12).fill(0)).buffer));
  const lengths = (memory: BodyMemory): number[] =>
    forwarded('mq_notify', [3n, at], { memory }).buffers.map(({ length }) => length);
  assert.deepEqual(lengths(event(2)), [64, 32]);
  assert.deepEqual(lengths(event(0)), [64]);
  assert.deepEqual(buffersOf('mq_notify', [3n, 0n]), []);
  badPointer(plan('mq_notify', [3n, 0x10n]), 1);
});

test('planCall takes a list of interfaces and an extended attribute along that a structure points to', () => {
  const list = forwarded('ioctl', [3n, 0x8912n, at], { memory: body([80n, 0x5000n]) });
  assert.deepEqual(list.buffers[0].back, [{ offset: 0, address: base, length: 4 }]);
  assert.deepEqual([list.buffers[1].address, list.buffers[1].length], [0x5000, 80]);
  const counting = forwarded('ioctl', [3n, 0x8912n, at], { memory: body([0n, 0n]) });
  assert.equal(counting.buffers.length, 1);
  const memory = body('name\0\0\0\0', [0x5000n, 10n], new Uint8Array(4096));
  const found = forwarded('setxattrat', [3n, at, 0n, at, at + 8n, 16n], { memory });
  assert.deepEqual(
    found.buffers.map(({ argument, length }) => [argument, length]),
    [
      [4, 16],
      [255, 10],
      [1, 5],
      [3, 5],
    ],
  );
});

test('planCall names special calls and the reasons to come home', () => {
  for (const name of [
    'mmap',
    'clone',
    'clone3',
    'execve',
    'exit',
    'exit_group',
    'kill',
    'rt_sigaction',
    'getrusage',
    'msync',
  ]) {
    assert.deepEqual(plan(name, []), { kind: 'special', name });
  }
  comesHome(plan('io_uring_setup', []), 'io_uring_setup');
  comesHome(plan('arch_prctl', [0x1023n, 18n]), 'arch_prctl');
  comesHome(planCall(9999, [], room, 'x64'), 'unknown system call 9999');
  comesHome(plan('getpid', []), 'getpid, which should not have trapped');
});

test('planForwarded plans a special call as its arguments say', () => {
  const found = planForwarded(numberOf('getrusage', 'x64'), [0n, at], room, 'x64');
  assert.ok(found.kind === 'forward');
  assert.deepEqual(found.buffers, [
    { argument: 1, address: base, length: 144, direction: 'out', filled: 'whole', unit: 1 },
  ]);
  comesHome(planForwarded(9999, [], room, 'x64'), 'unknown system call 9999');
});

test('planCall gives a sound plan whatever the arguments and the memory', () => {
  const word = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: at, max: at + 65536n }),
    fc.constantFrom(0x5401n, 0x541bn, 2n ** 31n, 2n ** 63n),
  );
  const memory = fc.uint8Array({ minLength: 0, maxLength: 9000 });
  fc.assert(
    fc.property(
      fc.constantFrom<Architecture>('x64', 'arm64'),
      fc.array(word, { minLength: 6, maxLength: 6 }),
      memory,
      (arch, args, bytes) => {
        for (const call of descriptionsOf(arch)) soundPlan(planCall(call.nr, args, body(bytes), arch), arch, call.name);
      },
    ),
    { numRuns: 150 },
  );
});

function soundPlan(found: Plan, arch: Architecture, name: string): void {
  if (found.kind !== 'forward') return;
  assert.ok(describe(found.nr, arch), name);
  assert.equal(found.args.length, 6);
  assert.ok(
    found.args.every((each) => each >= 0n && each < 2n ** 64n),
    name,
  );
  const carriers = found.buffers.map((each) => each.argument).filter((each) => each !== noArgument);
  assert.equal(new Set(carriers).size, carriers.length, name);
  for (const { argument, address, length, segments, contents } of found.buffers) {
    if (argument !== noArgument && !contents) assert.equal(BigInt(address), found.args[argument], name);
    assert.ok(address < 2 ** 48 && Number.isSafeInteger(length) && length >= 0 && length <= 0x7ffff000, name);
    if (contents) assert.equal(contents.length, length, name);
    if (segments)
      assert.equal(
        segments.reduce((sum, each) => sum + each.length, 0),
        length,
        name,
      );
  }
  for (const { holder, target, offset, stride, count } of found.pointers ?? []) {
    const contents: Uint8Array | undefined = found.buffers[holder].contents;
    assert.ok(contents && target < found.buffers.length && count > 0, name);
    assert.ok(offset + (count - 1) * stride + 8 <= contents.length, name);
  }
}

test('isProcSelf finds the ways into a process’s own directory', () => {
  for (const path of [
    '/proc/self',
    '/proc/self/maps',
    '/proc/thread-self/comm',
    '//proc/./self/',
    '/usr/../proc/self/exe',
    '/proc/42/stat',
  ]) {
    assert.equal(isProcSelf(path, 42, 43), true, path);
  }
  for (const path of [
    '/proc/cpuinfo',
    '/proc',
    '/proc/7/stat',
    '/proc/self/../7',
    'proc/self',
    '/procself',
    '/tmp/proc/self',
    '',
    '/proc/042',
  ]) {
    assert.equal(isProcSelf(path, 42, 43), false, path);
  }
});
