import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { FakeNode, freePort, until } from '../../test/system/fake_node.ts';
import { NOBODY, runLauncher, whyNotAsNobody, type Outcome, type RunOptions } from '../../test/system/run.ts';
import { RefusedError } from '../wire/line_errors.ts';

let home: FakeNode;
let away: FakeNode;
const target = spawn('sleep', ['600'], { stdio: 'ignore' });
const pid = target.pid ?? 0;

before(async () => {
  const [first, second, third] = await Promise.all([freePort(), freePort(), freePort()]);
  const place = { address: '127.0.0.1', guestPort: 1 };
  const peers = [
    { ...place, name: 'n2', port: second },
    { ...place, name: 'gone', port: third },
  ];
  home = await FakeNode.start({ name: 'n1', port: first, peers });
  away = await FakeNode.start({ name: 'n2', port: second, peers: [{ ...place, name: 'n1', port: first }] });
  Object.assign(home.engine.behaviours, {
    migrate: () => ({ pid, to: 'n2', freezeMs: 12.34, totalMs: 210, bytes: 36_175_872, threads: 4 }),
    home: () => ({ pid, from: 'n2', freezeMs: 8, totalMs: 8, bytes: 4096 }),
    release: () => ({ bytes: 500 * 1024 * 1024 }),
  });
  await until('n2 is up', () => home.logged.some((line) => line.startsWith('link.up')));
});

after(async () => {
  target.kill('SIGKILL');
  await away[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const mosmigrate = (args: (string | number)[], options: RunOptions = {}): Promise<Outcome> =>
  runLauncher('mosmigrate', args.map(String), { env: { MOSIX_RUN: home.runDir }, ...options });

test('mosmigrate says how long the process stood still and what was sent', async () => {
  const out = await mosmigrate([pid, 'n2']);
  assert.equal(out.stdout, `process ${pid} (4 threads) moved to n2: stood still for 12.3 ms; 34.5 MB in 210 ms\n`);
  assert.equal(out.stderr, '');
  assert.equal(out.code, 0);
  const back = await mosmigrate([pid, 'home']);
  assert.equal(back.stdout, `process ${pid} came home from n2: stood still for 8 ms; 4 KB in 8 ms\n`);
});

test('mosmigrate gives memory back when asked to', async () => {
  assert.equal((await mosmigrate([pid, '--release'])).stdout, `process ${pid}: 500 MB given back to this node\n`);
  const both = await mosmigrate([pid, 'n2', '--release', '--json']);
  const result = JSON.parse(both.stdout) as Record<string, unknown>;
  assert.equal(result['releasedBytes'], 500 * 1024 * 1024);
  assert.equal(result['to'], 'n2');
  assert.equal(result['ok'], true);
});

test('mosmigrate --no-wait returns before the process has moved', async () => {
  const { migrate } = home.engine.behaviours;
  home.engine.behaviours['migrate'] = () => new Promise(() => {});
  const out = await mosmigrate([pid, 'n2', '--no-wait']);
  home.engine.behaviours['migrate'] = migrate;
  assert.equal(out.stdout, `process ${pid} is on its way to n2; see mosps\n`);
  assert.equal(out.code, 0);
});

test('mosmigrate names the object, the cause and the way out when it fails', async () => {
  const { migrate } = home.engine.behaviours;
  home.engine.behaviours['migrate'] = () => {
    throw new RefusedError('traced', 'it is being debugged');
  };
  const wrong: [args: (string | number)[], code: number, message: RegExp][] = [
    [[pid, 'n2'], 1, /Cannot migrate process \d+ to n2: it is being debugged/],
    [[4_194_303, 'n2'], 1, /Cannot migrate process 4194303 to n2: there is no such process on this node/],
    [[pid, 'n22'], 2, /Cannot find the node "n22"; did you mean "n2"\?/],
    [[pid, 'gone'], 69, /Cannot reach the node "gone": .*; all nodes: mosps --nodes/],
    [['12x', 'n2'], 2, /"12x" is not a process id/],
    [[0, 'n2'], 2, /"0" is not a process id/],
    [[], 2, /which process/],
    [[pid], 2, /where is process \d+ to move\?/],
    [[pid, 'n2', 'n3'], 2, /nothing to do with "n3"/],
    [[pid, 'n2', '--no-wiat'], 2, /no option --no-wiat; did you mean "--no-wait"\?/],
  ];
  for (const [args, code, message] of wrong) {
    const out = await mosmigrate(args);
    assert.match(out.stderr, message);
    assert.match(out.stderr, /^mosmigrate: .*\n$/);
    assert.equal(out.code, code, args.join(' '));
    assert.equal(out.stdout, '');
  }
  home.engine.behaviours['migrate'] = migrate;
});

test('mosmigrate --json gives failures in the same form', async () => {
  const out = await mosmigrate(['--json', pid, 'gone']);
  const { ok, error } = JSON.parse(out.stdout) as { ok: boolean; error: { code: string } };
  assert.equal(ok, false);
  assert.equal(error.code, 'node-unreachable');
  assert.equal(out.code, 69);
});

test('mosmigrate says how to start mosd when none runs', async () => {
  const out = await mosmigrate([pid, 'n2'], { env: { MOSIX_RUN: '/nonexistent' } });
  assert.equal(
    out.stderr,
    'mosmigrate: Cannot reach mosd: nothing answers on /nonexistent/mosd.sock; start it with: mosd\n',
  );
  assert.equal(out.code, 69);
});

test("mosmigrate refuses another user's process", { skip: whyNotAsNobody() }, async () => {
  const out = await mosmigrate([pid, 'n2'], { env: { MOSIX_RUN: home.runDir }, uid: NOBODY });
  assert.equal(out.code, 77, out.stderr);
  assert.match(out.stderr, /it is not yours; only its owner or root may do that/);
});
