import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { FakeNode, freePort, until } from '../../test/system/fake_node.ts';
import { run, runLauncher, type Outcome } from '../../test/system/run.ts';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'mosrun');
let home: FakeNode;
let away: FakeNode;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mosrun-'));
  const [first, second, third] = await Promise.all([freePort(), freePort(), freePort()]);
  const place = { address: '127.0.0.1', guestPort: 1 };
  const peers = [
    { ...place, name: 'n2', port: second },
    { ...place, name: 'gone', port: third },
  ];
  home = await FakeNode.start({ name: 'n1', port: first, peers });
  away = await FakeNode.start({ name: 'n2', port: second, peers: [{ ...place, name: 'n1', port: first }] });
  home.engine.behaviours['migrate'] = ({ pid }) => ({ pid, to: 'n2', freezeMs: 1, totalMs: 1, bytes: 1 });
  await until('n2 is up', () => home.logged.some((line) => line.startsWith('link.up')));
});

after(async () => {
  await away[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const mosrun = (...args: string[]): Promise<Outcome> =>
  runLauncher('mosrun', args, { env: { MOSIX_RUN: home.runDir } });

/** Runs a shell script as it is, and behind mosrun, and expects the same. */
async function sameAsWithout(script: string): Promise<void> {
  const env = { MOSIX_RUN: home.runDir };
  const plain = await run(['sh', '-c', script, 'sh', ''], { env });
  const behind = await run(['sh', '-c', script, 'sh', `${bin} -h`], { env });
  assert.deepEqual({ ...behind, pid: 0 }, { ...plain, pid: 0 });
  assert.notEqual(plain.stdout, '');
}

test('mosrun becomes the program: same pid, output and exit code', async () => {
  const { stdout, code, pid } = await mosrun('-h', 'sh', '-c', 'echo $$; exit 7');
  assert.equal(Number(stdout), pid);
  assert.equal(code, 7);
});

test('mosrun ends by the signal that ends the program', async () => {
  assert.equal((await mosrun('-h', 'sh', '-c', 'kill -TERM $$')).signal, 'SIGTERM');
});

test('mosrun leaves ignored signals, limits, descriptors and bytes as they were', async () => {
  const show = 'grep -E "Sig(Ign|Blk)" /proc/self/status; ulimit -S -n; ulimit -H -n; umask';
  await sameAsWithout(`$1 sh -c '${show}'`);
  await sameAsWithout(`trap "" HUP INT PIPE; ulimit -S -n 200; umask 027; $1 sh -c '${show}'`);
  const descriptors = 'for fd in 0 1 2 3 4 5 6 7 8 9; do if [ -e /proc/$$/fd/$fd ]; then echo $fd; fi; done';
  await sameAsWithout(`$1 sh -c '${descriptors}' 3</dev/null 7</dev/null`);
  await sameAsWithout(`$1 sh -c '${descriptors}' <&- 2>&-`);
  await sameAsWithout(
    String.raw`bytes=$(printf 'x\377y'); export bytes; $1 printf '%s|' "$bytes" '' ' ' -- -h; $1 printenv bytes`,
  );
  await sameAsWithout('$1 env | grep -c MOSIX_INHERITED; true');
});

test('mosrun finds programs as a shell does', async () => {
  const script = join(folder, 'plain-script');
  writeFileSync(script, 'echo script "$@"\n');
  chmodSync(script, 0o755);
  assert.equal((await mosrun('-h', script, 'a b')).stdout, 'script a b\n');
  const missing = await mosrun('no-such-program');
  assert.equal(missing.code, 127);
  assert.equal(missing.stderr, 'mosrun: Cannot run no-such-program: there is no such program\n');
  chmodSync(script, 0o644);
  assert.equal((await mosrun(script)).code, 126);
  assert.equal((await mosrun(folder)).code, 126);
  assert.equal((await mosrun('')).code, 127);
});

test('mosrun -r has the program moved once it runs', async () => {
  const asked = home.engine.asked('migrate').length;
  const { code, pid } = await mosrun('-r', 'n2', 'sleep', '0.2');
  assert.equal(code, 0);
  const request = await until('the engine is asked', () => home.engine.asked('migrate')[asked]);
  assert.equal(request.pid, pid);
  assert.equal(request.to?.name, 'n2');
});

test('mosrun moves nothing when the program cannot be run', async () => {
  const asked = home.engine.asked('migrate').length;
  await mosrun('-r', 'n2', 'no-such-program');
  await mosrun('-h', 'true');
  assert.equal(home.engine.asked('migrate').length, asked);
});

test('mosrun -r runs nothing when the node cannot be reached or is not known, unless -F is given', async () => {
  const file = join(folder, 'ran');
  const gone = await mosrun('-r', 'gone', 'touch', file);
  assert.equal(gone.code, 69);
  assert.match(
    gone.stderr,
    /^mosrun: Cannot reach the node "gone": .*nothing accepts connections there; all nodes: mosps --nodes\n$/,
  );
  const unknown = await mosrun('-F', '-r', 'gnoe', 'touch', file);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /Cannot find the node "gnoe"; did you mean "gone"\? \(this node knows n1, n2, gone\)/);
  assert.throws(() => readFileSync(file));
  const forced = await mosrun('-F', '-r', 'gone', 'touch', file);
  assert.equal(forced.code, 0);
  assert.match(forced.stderr, /; running it here\n$/);
  readFileSync(file);
});

test('mosrun says how to start mosd when none runs, and runs the program with -F', async () => {
  const env = { MOSIX_RUN: folder };
  const without = await runLauncher('mosrun', ['echo', 'ran'], { env });
  assert.equal(without.code, 69);
  assert.equal(without.stdout, '');
  assert.equal(
    without.stderr,
    `mosrun: Cannot reach mosd: nothing answers on ${folder}/mosd.sock; start it with: mosd\n`,
  );
  const forced = await runLauncher('mosrun', ['-F', 'echo', 'ran'], { env });
  assert.equal(forced.code, 0);
  assert.equal(forced.stdout, 'ran\n');
});

test('mosrun says what is wrong with its options', async () => {
  const wrong: [args: string[], message: RegExp][] = [
    [[], /there is no program to run; see mosrun --help/],
    [['--hom', 'ls'], /no option --hom; did you mean "--home"\?/],
    [['-r'], /option -r needs a value/],
    [['-h', '-r', 'n2', 'ls'], /-r and -h exclude each other/],
    [['-L', '-l', 'ls'], /-L and -l exclude each other/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr, stdout } = await mosrun(...args);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.equal(stdout, '');
  }
  assert.match((await mosrun('--help')).stdout, /^Usage: mosrun /);
});
