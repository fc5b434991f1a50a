/** The list of test programs is whole, and the native run can tell good from bad. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError, binaryName, buildPrograms } from './build.ts';
import { withoutGcc } from '../../src/sys/testing/c_program.ts';
import { endingProblem, runNative } from './native.ts';
import { programs, type Program } from './programs.ts';

function named(name: string): Program {
  const found = programs.find((each) => each.name === name);
  assert(found !== undefined, `there is a case ${name}`);
  return found;
}

test('`programs` names every case once and uses every source', async () => {
  const names = programs.map((each) => each.name);
  assert.equal(new Set(names).size, names.length);
  const sources = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.c')).toSorted();
  assert.deepEqual([...new Set(programs.map((each) => each.source))].toSorted(), sources);
});

test('`programs` gives stimuli in the order of time and within the run', () => {
  for (const { name, stimuli } of programs) {
    const times = stimuli.map((each) => each.at);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      name,
    );
    assert(
      times.every((at) => at > 0 && at <= 1),
      name,
    );
  }
});

test('`binaryName` differs where flags differ', () => {
  assert.equal(binaryName(named('brk')), 'brk');
  assert.notEqual(binaryName(named('vector-sse')), binaryName(named('vector-avx2')));
});

test('`endingProblem` tells exit statuses and signals apart', () => {
  assert.equal(endingProblem({ exit: 7 }, 7, null), '');
  assert.equal(endingProblem({ signal: 'SIGSEGV' }, null, 'SIGSEGV'), '');
  assert.equal(endingProblem({ exit: 0 }, null, 'SIGKILL'), 'ended with SIGKILL instead of exit 0');
  assert.equal(endingProblem({ signal: 'SIGTERM' }, 143, null), 'ended with exit 143 instead of SIGTERM');
});

test(
  '`runNative` says what is wrong when a check fails, an ending differs, or a limit is missing',
  { skip: withoutGcc },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'programs-'));
    const exit = named('exit-7');
    const deep = { ...named('stack-growth'), limits: { stack: 8 * 1024 * 1024 } };
    try {
      const binaries = await buildPrograms(directory, [exit, deep]);
      const run = (program: Program) => runNative(program, binaries.get(program.name) ?? '', 0.1);
      assert.equal((await run(exit)).why, '');
      assert.match((await run({ ...exit, ends: { exit: 0 } })).why, /^ended with exit 7 instead of exit 0$/);
      assert.match((await run(deep)).why, /FAILED stack_growth\.c:\d+: needs a stack limit of 48 MB/);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);

test('`buildPrograms` passes on what the compiler says', { skip: withoutGcc }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'programs-'));
  try {
    const wrong = { ...named('brk'), flags: ['-DPAGE=nonsense', '-Werror'] };
    await assert.rejects(
      buildPrograms(directory, [wrong]),
      (error) => error instanceof BuildError && /Cannot build brk\.c/.test(error.message),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
