import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { FakeNode, freePort } from '../../test/system/fake_node.ts';
import { runLauncher, whyNotAsNobody, type Outcome } from '../../test/system/run.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { parsePasswd } from './user_names.ts';

const me = process.getuid?.() ?? 0;
let node: FakeNode;

function row(fields: Partial<ProcessRow>): ProcessRow {
  const base = { comm: 'sort', where: 'n2', home: 'n1', threads: 4, memoryBytes: 36_175_872, moves: 3, forwarded: 10 };
  return { pid: 4_194_301, uid: me, ...base, forwardedPerSecond: 1234, state: 'away', ...fields };
}

before(async () => {
  const peer = { name: 'n2', address: '127.0.0.1', port: await freePort(), guestPort: 1 };
  node = await FakeNode.start({ name: 'n1', peers: [peer] });
  node.engine.list = {
    away: [row({}), row({ pid: 4_194_300, uid: me + 1, comm: 'theirs' })],
    guests: [row({ pid: 77, home: 'n2', where: 'n1', state: 'guest', comm: 'visitor' })],
    returned: [row({ pid: 4_194_302, where: 'n1', state: 'home', reason: 'io_uring_setup', comm: 'evil\u001b[2J' })],
  };
});

after(() => node[Symbol.asyncDispose]());

const mosps = (...args: string[]): Promise<Outcome> => runLauncher('mosps', args, { env: { MOSIX_RUN: node.runDir } });

test('mosps shows where processes are, how they fare and why they came home', async () => {
  const { stdout, code } = await mosps();
  const [titles, first, ...more] = stdout.trimEnd().split('\n');
  assert.match(titles, /PID +USER +WHERE +HOME +THR +MEM +CPU +MOVES +CALLS\/S +STATE +PROGRAM +WHY/);
  const rows = [first, ...more];
  const line = rows.find((text) => text.startsWith('4194301')) ?? '';
  assert.match(line, /^4194301 +\S+ +n2 +n1 +4 +34\.5 MB +\S+ m?s +3 +1\.23k +away +sort$/);
  assert.match(rows.at(-1) ?? '', /home +evil\?\[2J +it called io_uring_setup$/);
  assert.equal(code, 0);
});

test('mosps --guests shows the guests instead', async () => {
  const { stdout } = await mosps('--guests');
  assert.match(stdout, /77 .* n1 +n2 .* guest +visitor/);
  assert.doesNotMatch(stdout, /4194301/);
});

test('mosps --json gives everything with names of users', async () => {
  const list = JSON.parse((await mosps('--json', '--all')).stdout) as Record<
    string,
    (ProcessRow & { user: string; name: string })[]
  >;
  assert.deepEqual(
    list['away'].map(({ comm }) => comm),
    ['sort', 'theirs'],
  );
  assert.equal(typeof list['away'][0].user, 'string');
  assert.deepEqual(
    list['guests'].map(({ pid }) => pid),
    [77],
  );
  assert.equal(list['returned'][0].reason, 'io_uring_setup');
  assert.deepEqual(list['home'], []);
  assert.deepEqual(
    list['nodes'].map(({ name }) => name),
    ['n1', 'n2'],
  );
});

test("mosps leaves out other users' processes unless told otherwise", { skip: whyNotAsNobody() }, async () => {
  const env = { MOSIX_RUN: node.runDir };
  const { stdout } = await runLauncher('mosps', [], { env, uid: 1 });
  assert.doesNotMatch(stdout, /sort/);
  assert.match(stdout, /theirs/);
  assert.match((await runLauncher('mosps', ['-a'], { env, uid: 1 })).stdout, /sort/);
});

test('mosps shows only what is asked for: own, local', async () => {
  const own = await mosps('--mine');
  assert.match(own.stdout, /sort/);
  assert.doesNotMatch(own.stdout, /theirs/);
  const local = await mosps('--local', '--all');
  assert.match(local.stdout, /^4194302 /m);
  assert.doesNotMatch(local.stdout, /^419430[01] /m);
});

test('mosps --nodes shows each node, and why it is not up', async () => {
  const { stdout } = await mosps('--nodes');
  assert.match(stdout, /^n1 .* up \(this\) .* \d+ +[\d.]+ +\d+ +\d+ % +[\d.]+ [KMGT]B +\d+ +\d+$/m);
  assert.match(stdout, /^n2 .* down .*nothing accepts connections there$/m);
});

test('mosps --calls shows what a process asked its home for', async () => {
  node.engine.behaviours['calls'] = () => ({
    calls: [{ name: 'read', count: 2, micros: 30 }],
    reasons: [{ reason: 'recalled', count: 1 }],
  });
  const { stdout } = await mosps('--calls', String(process.pid));
  assert.match(stdout, /^read +2 +30$/m);
  assert.match(stdout, /came home 1 time: recalled/);
});

test('mosps says what is wrong with its options', async () => {
  const wrong: [args: string[], code: number, message: RegExp][] = [
    [['--node'], 2, /no option --node; did you mean "--nodes"\?/],
    [['-a', '-m'], 2, /exclude each other/],
    [['-l', '-g'], 2, /exclude each other/],
    [['5'], 2, /nothing to do with "5"/],
    [['--calls', 'x'], 2, /"x" is not a process id/],
    [['--calls', '4194303'], 1, /there is no such process/],
  ];
  for (const [args, code, message] of wrong) {
    const out = await mosps(...args);
    assert.equal(out.code, code, args.join(' '));
    assert.match(out.stderr, message);
  }
  assert.equal((await runLauncher('mosps', [], { env: { MOSIX_RUN: '/nonexistent' } })).code, 69);
});

test('parsePasswd takes the first name of an id and skips what is no entry', () => {
  const names = parsePasswd(
    'root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\nbroken\n+::::::\njoe:x:1000:1000::/:/bin/sh\n',
  );
  assert.deepEqual(
    [...names],
    [
      [0, 'root'],
      [1000, 'joe'],
    ],
  );
});
