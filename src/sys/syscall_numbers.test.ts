import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { macrosOf, withoutGcc } from './testing/c_program.ts';
import { numberOn, syscallNames, type Architecture } from './syscall_numbers.ts';

const headerOfX64 = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
const genericHeader = '/usr/include/asm-generic/unistd.h';
const architectures: readonly Architecture[] = ['x64', 'arm64'];

function numbersOf(architecture: Architecture): Map<string, number> {
  return new Map(
    syscallNames.flatMap((name) => {
      const number = numberOn(name, architecture);
      return number === undefined ? [] : [[name, number] as const];
    }),
  );
}

/** What the header defines is in the table; newer calls in the table may be missing from an older header. */
function compareWithHeader(header: ReadonlyMap<string, number>, architecture: Architecture): void {
  assert.ok(header.size > 250, `only ${header.size} calls found in the header`);
  const ours = numbersOf(architecture);
  for (const [name, number] of header) assert.equal(ours.get(name), number, `${name} on ${architecture}`);
  const newest = Math.max(...header.values());
  const beyond = [...ours].filter(([name, number]) => !header.has(name) && number <= newest);
  const added = beyond.filter(([name]) => !name.endsWith('probe')); // uretprobe and uprobe went into a gap
  assert.deepEqual(added, [], 'the table has calls that the header should know');
}

test(
  'syscallNumbers agrees with the kernel header of x86-64',
  { skip: existsSync(headerOfX64) ? false : `${headerOfX64} is missing` },
  () => {
    const found = readFileSync(headerOfX64, 'utf8').matchAll(/^#define __NR_(\w+)\s+(\d+)/gm);
    compareWithHeader(new Map([...found].map(([, name, number]) => [name, Number(number)])), 'x64');
  },
);

test(
  'syscallNumbers agrees with the generic kernel header for arm64',
  { skip: withoutGcc !== false ? withoutGcc : existsSync(genericHeader) ? false : `${genericHeader} is missing` },
  () => {
    // What arch/arm64/include/uapi/asm/unistd.h asks the generic header for.
    const wanted = ['NEW_STAT', 'RENAMEAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];
    const macros = macrosOf(
      ['asm-generic/unistd.h'],
      wanted.map((each) => `__ARCH_WANT_${each}`),
    );
    const resolve = (text: string): number => (/^\d+$/.test(text) ? Number(text) : resolve(macros.get(text) ?? '0'));
    const calls = [...macros].filter(([name]) => /^__NR_(?!syscalls$|arch_specific_syscall$)/.test(name));
    compareWithHeader(new Map(calls.map(([name, text]) => [name.slice(5), resolve(text)])), 'arm64');
  },
);

test('syscallNumbers gives each number of an architecture to one name', () => {
  for (const architecture of architectures) {
    const numbers = [...numbersOf(architecture).values()];
    assert.equal(new Set(numbers).size, numbers.length, architecture);
  }
});

test('syscallNumbers has no gap in the range that all architectures share', () => {
  for (const architecture of architectures) {
    const shared = [...numbersOf(architecture).values()].filter((number) => number >= 424);
    assert.deepEqual(
      shared.sort((a, b) => a - b),
      Array.from({ length: shared.length }, (_, i) => 424 + i),
    );
    assert.ok(shared.length >= 46, 'up to file_setattr');
  }
});
