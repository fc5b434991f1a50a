import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

import { evaluateBpf } from './testing/bpf_evaluator.ts';
import { assembleBpf, BpfError, type Instruction } from './seccomp_bpf.ts';

const run = (program: readonly Instruction[], nr: number): number =>
  evaluateBpf(assembleBpf(program), { nr, arch: 0 }).action;

const filler = (count: number): Instruction[] => Array.from({ length: count }, () => ({ op: 'load', offset: 0 }));

/** Returns 1 if the branch goes to yes, 0 if to no, with `gap` instructions before each. */
function branchOver(
  gap: number,
  branch: Pick<Extract<Instruction, { op: 'branch' }>, 'test' | 'value'>,
): Instruction[] {
  return [
    { op: 'load', offset: 0 },
    { op: 'branch', ...branch, yes: 'yes', no: 'no' },
    ...filler(gap),
    { op: 'label', name: 'no' },
    { op: 'return', value: 0 },
    ...filler(gap),
    { op: 'label', name: 'yes' },
    { op: 'return', value: 1 },
  ];
}

test('assembleBpf writes struct sock_filter as the kernel reads it', () => {
  const bytes = assembleBpf([
    { op: 'load', offset: 4 },
    { op: 'branch', test: 'equal', value: 0xc000003e, no: 'end' },
    { op: 'and', value: 0x21 },
    { op: 'label', name: 'end' },
    { op: 'return', value: 0x7fff0000 },
  ]);
  const expected = ['2000000004000000', '150000013e0000c0', '5400000021000000', '060000000000ff7f'];
  assert.equal(Buffer.from(bytes).toString('hex'), expected.join(''));
});

test('assembleBpf makes each comparison unsigned', () => {
  for (const gap of [0, 300]) {
    assert.equal(run(branchOver(gap, { test: 'equal', value: 7 }), 7), 1);
    assert.equal(run(branchOver(gap, { test: 'equal', value: 7 }), 8), 0);
    assert.equal(run(branchOver(gap, { test: 'greater', value: 7 }), 7), 0);
    assert.equal(run(branchOver(gap, { test: 'greater', value: 7 }), -1), 1);
    assert.equal(run(branchOver(gap, { test: 'greaterOrEqual', value: 0x80000000 }), 0x7fffffff), 0);
    assert.equal(run(branchOver(gap, { test: 'greaterOrEqual', value: 0x80000000 }), -1), 1);
    assert.equal(run(branchOver(gap, { test: 'any', value: 6 }), 4), 1);
    assert.equal(run(branchOver(gap, { test: 'any', value: 6 }), 1), 0);
  }
});

test('assembleBpf widens a branch only where it has to', () => {
  const instructions = (gap: number): number => assembleBpf(branchOver(gap, { test: 'equal', value: 1 })).length / 8;
  assert.equal(instructions(127), 4 + 2 * 127);
  assert.equal(instructions(128), 6 + 2 * 128);
});

test('assembleBpf widens a branch whose other target follows', () => {
  for (const [given, results] of [
    ['yes', [9, 0]],
    ['no', [0, 9]],
  ] as const) {
    const program: Instruction[] = [
      { op: 'load', offset: 0 },
      { op: 'branch', test: 'equal', value: 5, [given]: 'far' },
      { op: 'return', value: 0 },
      ...filler(400),
      { op: 'label', name: 'far' },
      { op: 'return', value: 9 },
    ];
    assert.deepEqual([run(program, 5), run(program, 6)], results);
  }
});

test('assembleBpf decides every chain of comparisons as the chain reads, however long', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 0x7fffffff }), { minLength: 1, maxLength: 600 }),
      fc.nat(),
      (values, other) => {
        const program: Instruction[] = [
          { op: 'load', offset: 0 },
          ...values.map((value, i): Instruction => ({ op: 'branch', test: 'equal', value, yes: `${i}` })),
          { op: 'return', value: 0 },
          ...values.flatMap((_, i): Instruction[] => [
            { op: 'label', name: `${i}` },
            { op: 'return', value: i + 1 },
          ]),
        ];
        const bytes = assembleBpf(program);
        for (const nr of [values[0], values[values.length >> 1], values[values.length - 1], other]) {
          assert.equal(evaluateBpf(bytes, { nr, arch: 0 }).action, values.indexOf(nr) + 1);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('assembleBpf refuses what cannot be a filter', () => {
  const refused = (program: Instruction[], reason: RegExp): void => {
    assert.throws(
      () => assembleBpf(program),
      (error) => error instanceof BpfError && reason.test(error.message),
    );
  };
  refused([{ op: 'jump', to: 'nowhere' }], /no label nowhere/);
  refused(
    [
      { op: 'label', name: 'a' },
      { op: 'load', offset: 0 },
      { op: 'jump', to: 'a' },
    ],
    /a lies behind/,
  );
  refused(
    [
      { op: 'label', name: 'a' },
      { op: 'label', name: 'a' },
    ],
    /a stands twice/,
  );
  refused(filler(4097), /4097 instructions, 4096 allowed/);
});
