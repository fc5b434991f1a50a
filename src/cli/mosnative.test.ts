import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { FakeNode } from '../../test/system/fake_node.ts';
import { run, runLauncher, type Outcome } from '../../test/system/run.ts';

const bin = join(import.meta.dirname, '..', '..', 'bin');
let node: FakeNode;

before(async () => {
  node = await FakeNode.start({ name: 'n1' });
});

after(() => node[Symbol.asyncDispose]());

const native = (...args: string[]): Promise<Outcome> =>
  runLauncher('mosnative', args, { env: { MOSIX_RUN: node.runDir } });

test('mosnative becomes the program: same pid, output, exit code and signal', async () => {
  const { stdout, code, pid } = await native('sh', '-c', 'echo $$; exit 7');
  assert.deepEqual([Number(stdout), code], [pid, 7]);
  assert.equal((await native('sh', '-c', 'kill -TERM $$')).signal, 'SIGTERM');
});

test('mosnative leaves ignored signals, limits and descriptors as they were', async () => {
  const env = { MOSIX_RUN: node.runDir };
  const show = 'grep -E "Sig(Ign|Blk)" /proc/self/status; ulimit -S -n; ls /proc/self/fd | wc -l';
  const plain = await run(['sh', '-c', `trap "" HUP; ulimit -S -n 200; sh -c '${show}' 7</dev/null`], { env });
  const behind = await run(
    ['sh', '-c', `trap "" HUP; ulimit -S -n 200; ${bin}/mosnative sh -c '${show}' 7</dev/null`],
    { env },
  );
  assert.equal(behind.stdout, plain.stdout);
  assert.notEqual(plain.stdout, '');
});

test('mosnative runs the program also where mosd does not run', async () => {
  const { stdout, stderr, code } = await runLauncher('mosnative', ['echo', 'ran'], {
    env: { MOSIX_RUN: '/nonexistent' },
  });
  assert.deepEqual([stdout, stderr, code], ['ran\n', '', 0]);
});

test('mosnative is no job, not shown, and what runs within it inherits nothing', async () => {
  const { stdout } = await runLauncher(
    'mosrun',
    ['-J', 'outer', '-L', join(bin, 'mosnative'), 'sh', '-c', `${bin}/mosps --json; ${bin}/mosrun ${bin}/mosps --json`],
    { env: { MOSIX_RUN: node.runDir } },
  );
  const [first, second] = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { home: { job?: string }[] });
  assert.deepEqual(first.home, []);
  assert.equal(second.home.length, 1);
  assert.equal(second.home[0].job, undefined);
});

test('mosnative says what it cannot run', async () => {
  const missing = await native('no-such-program');
  assert.deepEqual(
    [missing.code, missing.stderr],
    [127, 'mosnative: Cannot run no-such-program: there is no such program\n'],
  );
  assert.match((await native()).stderr, /there is no program to run; see mosnative --help/);
});

test('mosenv is mosrun', async () => {
  const { stdout, code } = await runLauncher('mosenv', ['-h', 'printenv', 'LD_LIBRARY_PATH'], {
    env: { MOSIX_RUN: node.runDir, LD_LIBRARY_PATH: '/some/where' },
  });
  assert.deepEqual([stdout, code], ['/some/where\n', 0]);
});
