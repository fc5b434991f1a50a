import assert from 'node:assert/strict';
import { test } from 'node:test';

import { syscallNames, type Architecture } from './syscall_numbers.ts';
import {
  describe,
  descriptionsOf,
  nameOf,
  numberOf,
  type ArgumentKind,
  type LengthRule,
  type SyscallDescription,
} from './syscalls.ts';

const architectures: readonly Architecture[] = ['x64', 'arm64'];

/** Every description with the context that a failure should show. */
function everyCall(): readonly { readonly call: SyscallDescription; readonly where: string }[] {
  return architectures.flatMap((architecture) =>
    descriptionsOf(architecture).map((call) => ({ call, where: `${call.name} on ${architecture}` })),
  );
}

function lengthOf(kind: ArgumentKind): LengthRule | undefined {
  return 'length' in kind ? kind.length : undefined;
}

test('descriptionsOf has every call that exists on the architecture', () => {
  assert.equal(descriptionsOf('x64').length, syscallNames.length);
  assert.ok(descriptionsOf('arm64').length > 320);
});

test('describe, nameOf and numberOf find the same call', () => {
  for (const architecture of architectures) {
    for (const call of descriptionsOf(architecture)) {
      assert.equal(describe(call.nr, architecture), call);
      assert.equal(nameOf(call.nr, architecture), call.name);
      assert.equal(numberOf(call.name, architecture), call.nr);
    }
  }
});

test('describe, nameOf and numberOf say so when there is no such call', () => {
  assert.equal(describe(9999, 'x64'), undefined);
  assert.equal(nameOf(9999, 'x64'), 'syscall_9999');
  assert.equal(numberOf('no_such_call', 'x64'), -1);
  assert.equal(numberOf('toString', 'x64'), -1);
  assert.equal(numberOf('fork', 'arm64'), -1);
});

test('syscalls have at most six arguments', () => {
  for (const { call, where } of everyCall()) assert.ok(call.arguments.length <= 6, where);
});

test('syscalls take the length of a buffer from another argument that is a plain value', () => {
  for (const { call, where } of everyCall()) {
    for (const [index, kind] of call.arguments.entries()) {
      const length = lengthOf(kind);
      const source =
        length && ('argument' in length ? length.argument : 'fdSetOf' in length ? length.fdSetOf : undefined);
      if (source === undefined) continue;
      assert.notEqual(source, index, where);
      assert.equal(call.arguments[source]?.kind, 'value', where);
    }
  }
});

test('syscalls take a pointed-to length from an int that travels both ways', () => {
  for (const { call, where } of everyCall()) {
    for (const kind of call.arguments) {
      const length = lengthOf(kind);
      if (length === undefined || !('pointedBy' in length)) continue;
      assert.deepEqual(call.arguments[length.pointedBy], { kind: 'inout', length: { bytes: 4 } }, where);
    }
  }
});

test('syscalls that are filled by their result name the argument that bounds it', () => {
  for (const { call, where } of everyCall()) {
    for (const kind of call.arguments) {
      if (kind.kind === 'out' && kind.filled === 'result') assert.ok('argument' in kind.length, where);
    }
  }
});

test('syscalls forward at least 90 calls and keep the compute path local', () => {
  const classes = (name: SyscallDescription['class']): readonly string[] =>
    descriptionsOf('x64')
      .filter((call) => call.class === name)
      .map((call) => call.name);
  assert.ok(classes('forward').length >= 90, `${classes('forward').length} forwarded`);
  const local = classes('local');
  for (const name of [
    'futex',
    'sched_yield',
    'mprotect',
    'munmap',
    'brk',
    'gettid',
    'rt_sigprocmask',
    'rt_sigreturn',
  ]) {
    assert.ok(local.includes(name), name);
  }
});

test('syscalls never make a call local that reaches beyond the body', () => {
  const harmless = new Set<ArgumentKind['kind']>(['value', 'address', 'in', 'out']);
  for (const { call, where } of everyCall()) {
    if (call.class === 'local')
      assert.ok(
        call.arguments.every((each) => harmless.has(each.kind)),
        where,
      );
  }
});

test('syscalls test an existing argument where only some calls are local', () => {
  const tested = everyCall().filter(({ call }) => call.localWhen !== undefined);
  assert.ok(tested.length > 0);
  for (const { call, where } of tested) {
    assert.notEqual(call.class, 'local', where);
    assert.ok(call.localWhen && call.localWhen.argument < call.arguments.length, where);
  }
});

test('syscalls name the waits that an interruption ends with EINTR', () => {
  for (const name of ['epoll_wait', 'epoll_pwait', 'rt_sigtimedwait', 'semtimedop', 'recvfrom']) {
    assert.equal(describe(numberOf(name, 'x64'), 'x64')?.interrupted, 'eintr', name);
  }
  for (const name of ['poll', 'select', 'nanosleep', 'futex', 'wait4']) {
    assert.equal(describe(numberOf(name, 'x64'), 'x64')?.interrupted, undefined, name);
  }
});
