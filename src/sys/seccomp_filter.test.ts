import assert from 'node:assert/strict';
import { test } from 'node:test';

import { evaluateBpf, type SeccompData, type Verdict } from './testing/bpf_evaluator.ts';
import { runC, withoutGcc } from './testing/c_program.ts';
import { bodyFilter, filterAction } from './seccomp_filter.ts';
import { auditArchitecture, nativeArchitecture, type Architecture } from './syscall_numbers.ts';
import { stubCalls } from './stub_calls.ts';
import { descriptionsOf, numberOf, type SyscallDescription } from './syscalls.ts';

const architectures: readonly Architecture[] = ['x64', 'arm64'];
const { allow, notify } = filterAction;
const stub = { stubBase: 0x10000, stubLength: 0x1000 };
const filters = { x64: bodyFilter({ ...stub, arch: 'x64' }), arm64: bodyFilter({ ...stub, arch: 'arm64' }) };

function judge(architecture: Architecture, call: Omit<SeccompData, 'arch'> & { readonly arch?: number }): Verdict {
  return evaluateBpf(filters[architecture], {
    arch: auditArchitecture[architecture],
    instructionPointer: 0x7f0000001234n,
    ...call,
  });
}

function callX64(name: string, ...args: readonly bigint[]): number {
  return judge('x64', { nr: numberOf(name, 'x64'), args }).action;
}

/** Arguments of which `localWhen` is true. */
function localArguments(call: SyscallDescription): readonly bigint[] {
  const when = call.localWhen;
  if (when === undefined) return [];
  const value = 'anyOf' in when ? when.anyOf[0] : when.set;
  return Array.from({ length: 6 }, (_, i) => (i === when.argument ? BigInt(value) : 0n));
}

test('bodyFilter treats every call as the table says', () => {
  for (const architecture of architectures) {
    for (const call of descriptionsOf(architecture)) {
      const where = `${call.name} on ${architecture}`;
      const plain = judge(architecture, { nr: call.nr, args: Array(6).fill(0xffff_ffffn) });
      assert.equal(plain.action, call.class === 'local' ? allow : notify, where);
      if (call.localWhen === undefined) continue;
      assert.equal(judge(architecture, { nr: call.nr, args: localArguments(call) }).action, allow, where);
    }
  }
});

test('bodyFilter notifies of every number that the table does not know, x32 calls among them', () => {
  for (const architecture of architectures) {
    const known = new Set(descriptionsOf(architecture).map((call) => call.nr));
    for (let nr = 0; nr < 1024; nr++) {
      if (!known.has(nr)) assert.equal(judge(architecture, { nr }).action, notify, `${nr} on ${architecture}`);
      assert.equal(judge(architecture, { nr: 0x40000000 + nr }).action, notify, `x32 ${nr}`);
    }
    for (const nr of [-1, -2147483648, 0x7fffffff]) assert.equal(judge(architecture, { nr }).action, notify);
  }
});

test('bodyFilter notifies of every call in a foreign convention, from the stub too', () => {
  for (const architecture of architectures) {
    for (const arch of [
      0x40000003,
      0x40000028,
      0,
      0xffffffff,
      auditArchitecture[architecture === 'x64' ? 'arm64' : 'x64'],
    ]) {
      for (const call of descriptionsOf(architecture)) {
        assert.equal(judge(architecture, { nr: call.nr, arch, instructionPointer: 0x10010n }).action, notify);
      }
    }
  }
});

test('bodyFilter lets the calls of the engine pass at the stub, no others there, and none from beside it', () => {
  for (const [pointer, action] of [
    [0x10000n, allow],
    [0x10fffn, allow],
    [0x0ffffn, notify],
    [0x11000n, notify],
    [0x1_0001_0000n, notify],
    [0xffff_ffff_0001_0000n, notify],
    [0n, notify],
  ] as const) {
    for (const { nr, name, class: kind } of descriptionsOf('x64')) {
      if (kind === 'local') continue;
      const verdict = judge('x64', { nr, instructionPointer: pointer, args: Array(6).fill(0xffff_ffffn) }).action;
      const mayPass = stubCalls.some((each) => each === name);
      assert.equal(verdict, mayPass ? action : notify, `${name} at 0x${pointer.toString(16)}`);
    }
    for (const nr of [9999, -1]) assert.equal(judge('x64', { nr, instructionPointer: pointer }).action, notify);
  }
});

test('bodyFilter takes a stub anywhere that does not cross 4 GB', () => {
  const at = (stubBase: number, stubLength: number, instructionPointer: bigint): number =>
    evaluateBpf(bodyFilter({ stubBase, stubLength, arch: 'x64' }), {
      nr: numberOf('memfd_create', 'x64'),
      arch: auditArchitecture.x64,
      instructionPointer,
    }).action;
  assert.equal(at(0x7f12_3456_7000, 4096, 0x7f12_3456_7800n), allow);
  assert.equal(at(0x7f12_3456_7000, 4096, 0x3456_7800n), notify);
  assert.equal(at(0xffff_f000, 4096, 0xffff_ffffn), allow);
  assert.equal(at(0xffff_f000, 4096, 0x1_0000_0000n), notify);
  assert.throws(() => at(0xffff_f000, 4097, 0n), /crosses 4 GB/);
  assert.throws(() => at(0x10000, 0, 0n), RangeError);
});

test('bodyFilter keeps private anonymous memory local and traps all other mappings', () => {
  const mmap = (flags: bigint): number => callX64('mmap', 0n, 4096n, 3n, flags, 0xffff_ffff_ffff_ffffn, 0n);
  const [shared, fixed, anonymous, growsDown, noReserve, huge] = [0x01n, 0x10n, 0x20n, 0x100n, 0x4000n, 0x40000n];
  assert.equal(mmap(2n | anonymous), allow);
  assert.equal(mmap(2n | anonymous | noReserve | growsDown | fixed), allow);
  assert.equal(mmap(2n), notify);
  assert.equal(mmap(shared | anonymous), notify);
  assert.equal(mmap(3n | anonymous), notify);
  assert.equal(mmap(shared), notify);
  assert.equal(mmap(2n | anonymous | huge), notify);
  assert.equal(mmap(2n | anonymous | 0x1_0000_0000n), notify);
});

test('bodyFilter answers the clocks of the world locally and traps those of CPU time', () => {
  for (const name of ['clock_gettime', 'clock_getres']) {
    for (const clock of [0n, 1n, 4n, 5n, 6n, 7n, 11n]) assert.equal(callX64(name, clock), allow, `${name} ${clock}`);
    for (const clock of [2n, 3n, 8n, 9n, 10n, 12n, 0xffff_fffan])
      assert.equal(callX64(name, clock), notify, `${name} ${clock}`);
  }
  // The kernel takes an int, so the high half says nothing.
  assert.equal(callX64('clock_gettime', 0xffff_ffff_0000_0001n), allow);
});

test('bodyFilter keeps advice about memory local, and traps what concerns files, guards and the unknown', () => {
  for (const advice of [0, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 21, 24]) {
    assert.equal(callX64('madvise', 0n, 4096n, BigInt(advice)), allow, `advice ${advice}`);
  }
  for (const advice of [9, 100, 101, 102, 103, 26, 0x7fffffff]) {
    assert.equal(callX64('madvise', 0n, 4096n, BigInt(advice)), notify, `advice ${advice}`);
  }
});

test('bodyFilter lets a program set its thread pointers and traps what gives it new abilities', () => {
  for (const option of [0x1001n, 0x1002n, 0x1003n, 0x1004n]) assert.equal(callX64('arch_prctl', option), allow);
  for (const option of [0x1012n, 0x1023n, 0x5001n]) assert.equal(callX64('arch_prctl', option), notify);
  assert.equal(callX64('prctl', 0x53564d41n), allow);
  assert.equal(callX64('prctl', 15n), notify);
});

test('bodyFilter decides what is always local from number and architecture alone, so that the kernel can cache it', () => {
  for (const architecture of architectures) {
    for (const call of descriptionsOf(architecture)) {
      if (call.class !== 'local') continue;
      const { loaded, steps } = judge(architecture, { nr: call.nr });
      assert.deepEqual([...loaded], [4, 0], call.name);
      assert.ok(steps <= 16, `${call.name} takes ${steps} steps`);
    }
  }
});

/** Installs the filter given as hex in a child, which then makes calls; the parent answers each notification with 1000 + number. */
const listener = `
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static struct sock_filter program[4096];
static struct seccomp_notif notification;
static struct seccomp_notif_resp response;
int main(int argc, char **argv) {
  size_t bytes = strlen(argv[1]) / 2;
  for (size_t i = 0; i < bytes; i++) sscanf(argv[1] + 2 * i, "%2hhx", (unsigned char *)program + i);
  long *seen = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  volatile int *fd = (int *)(seen + 100);
  *fd = -1;
  pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    struct sock_fprog fprog = { bytes / 8, program };
    struct timespec now;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int made = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &fprog);
    *fd = made < 0 ? -1000 - errno : made;
    seen[0] = syscall(SYS_getpid) > 0;
    seen[1] = syscall(SYS_getppid);
    seen[2] = syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    seen[3] = syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &now);
    seen[4] = (long)syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) > 4096;
    seen[5] = syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    seen[6] = syscall(999);
    seen[7] = syscall(SYS_write, 1, "never", 5);
    syscall(SYS_exit_group, 0);
  }
  for (int i = 0; *fd == -1 && i < 10000; i++) usleep(1000);
  if (*fd < 0) { printf("no listener: errno %d\\n", -1000 - *fd); return 0; }
  for (;;) {
    memset(&notification, 0, sizeof notification);
    if (ioctl(*fd, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) { if (errno == EINTR) continue; break; }
    memset(&response, 0, sizeof response);
    response.id = notification.id;
    if (notification.data.nr == SYS_exit_group) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else response.val = 1000 + notification.data.nr;
    ioctl(*fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
    if (notification.data.nr == SYS_exit_group) break;
  }
  int status;
  waitpid(child, &status, 0);
  for (int i = 0; i < 8; i++) printf("%ld ", seen[i]);
  printf("status %d\\n", status);
}`;

test('bodyFilter does in the kernel what it does in the evaluator', { skip: withoutGcc }, (t) => {
  const program = bodyFilter({ ...stub, arch: nativeArchitecture });
  const output = runC(listener, { argv: [Buffer.from(program).toString('hex')] });
  if (output.startsWith('no listener')) return t.skip(`seccomp is not allowed here: ${output.trim()}`);
  const trapped = (name: string): number => 1000 + numberOf(name);
  const expected = [1, trapped('getppid'), 0, trapped('clock_gettime'), 1, trapped('mmap'), 1999, trapped('write')];
  assert.equal(output.trim(), `${expected.join(' ')} status 0`);
});
