import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Terminal, type TerminalOptions } from '../../test/suite/shell/terminal.ts';
import { FakeNode, freePort, until } from '../../test/system/fake_node.ts';
import { runLauncher } from '../../test/system/run.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';

const mosmon = join(import.meta.dirname, '..', '..', 'bin', 'mosmon');
const timeout = 60_000;
let node: FakeNode;
let env: Record<string, string>;

function row(fields: Partial<ProcessRow>): ProcessRow {
  const base = { comm: 'sort', home: 'n1', where: 'n2', threads: 4, memoryBytes: 36_175_872, moves: 3, forwarded: 10 };
  return { pid: 4711, uid: 0, ...base, forwardedPerSecond: 1234, state: 'away', ...fields };
}

before(async () => {
  const peer = { name: 'n2', address: '127.0.0.1', port: await freePort(), guestPort: 1 };
  node = await FakeNode.start({ name: 'n1', peers: [peer] });
  node.engine.list = {
    away: [row({})],
    guests: [row({ pid: 77, home: 'n2', where: 'n1', state: 'guest', comm: 'visitor' })],
    returned: [],
  };
  env = { MOSIX_RUN: node.runDir, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' };
});

after(() => node[Symbol.asyncDispose]());

const started = (options: TerminalOptions = {}): Terminal =>
  new Terminal([mosmon], { ...options, env: { ...env, ...options.env } });

for (const [rows, columns] of [
  [24, 80],
  [50, 200],
  [12, 40],
] as const)
  test(`mosmon shows the cluster on ${columns} × ${rows} and follows its keys`, { timeout }, async () => {
    await using terminal = started({ rows, columns });
    await terminal.shows(/mosmon on n1: load[^]* n1[^]*n2/);
    terminal.type('\t');
    await terminal.shows(/NODE[^]*n1[^]*n2 +dead: 127/);
    terminal.type('\t');
    await terminal.shows(/4711 n?.*n2[^]*sort|4711 .*n2/);
    terminal.type('h');
    await terminal.shows(/l m s u g i/);
    terminal.type('\u001b');
    await terminal.shows(/PID/);
    for (const line of terminal.screen.split('\n').slice(1)) assert.ok(line.length <= columns);
    terminal.type('q');
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.written, /\u001b\[\?25h\u001b\[\?1049l$/);
  });

test('mosmon follows the size of its window', { timeout }, async () => {
  await using terminal = started();
  await terminal.shows(/mosmon on n1/);
  terminal.resize(10, 40);
  await terminal.shows(/^\(.*\)\n mosmon on n1: load\n(.*\n){8}l m s u g i figure {2}Tab list {2}Enter nod…\n$/);
  terminal.resize(30, 100);
  await terminal.shows(/^\(.*\)\n mosmon on n1: load\n(.*\n){28}l m s u g i .* q quit\n$/);
});

test('mosmon shows a move', { timeout }, async () => {
  await using terminal = started();
  await terminal.shows(/mosmon on n1[^]*n1/);
  node.engine.list = { ...node.engine.list, away: [row({ where: 'n1', state: 'leaving' })] };
  await terminal.shows(/sort \(4711\): n2 → n1/);
});

test('mosmon leaves the terminal as it was when a signal ends it', { timeout }, async () => {
  await using terminal = started();
  await terminal.shows(/mosmon on n1/);
  process.kill(terminal.pid, 'SIGTERM');
  assert.equal(await terminal.end(), 128 + 15);
  assert.match(terminal.written, /\u001b\[\?25h\u001b\[\?1049l$/);
});

test('mosmon can be suspended, and leaves the modes of the terminal as they were', { timeout }, async () => {
  const shell = ['bash', '--norc', '--noprofile', '-i'];
  await using terminal = new Terminal(shell, { env: { ...env, PS1: 'ready> ', HISTFILE: '' } });
  await terminal.shows(/ready>$/m);
  terminal.type(`before=$(stty -g); ${mosmon}\r`);
  await terminal.shows(/mosmon on n1/);
  terminal.type('\u001a');
  await terminal.shows(/Stopped[^]*ready>$/m);
  terminal.type('[ "$before" = "$(stty -g)" ] && echo modes are the same; fg\r');
  await terminal.shows(/mosmon on n1/);
  terminal.type('q');
  await terminal.shows(/^modes are the same[^]*ready>$/m);
  terminal.type('[ "$before" = "$(stty -g)" ] && echo and again\r');
  await terminal.shows(/^and again$/m);
});

test('mosmon writes no colour when the user wants none', { timeout }, async () => {
  const coloured = /\u001b\[(?:\d+;)*3\dm/;
  await using plain = started({ env: { NO_COLOR: '1' } });
  await plain.shows(/mosmon on n1[^]*dead/);
  assert.doesNotMatch(plain.written, coloured);
  await using colourful = started({ env: { NO_COLOR: '' } });
  await colourful.shows(/mosmon on n1[^]*dead/);
  assert.match(colourful.written, coloured);
});

test('mosmon draws with ASCII where the locale has no more', { timeout }, async () => {
  await using terminal = started({ env: { LC_ALL: 'C' } });
  await terminal.shows(/\d \+[^]*dead/);
  assert.doesNotMatch(terminal.screen, /[│┤█]/);
});

test('mosmon goes on when mosd comes back', { timeout }, async () => {
  const other = await FakeNode.start({ name: 'm1' });
  await using terminal = started({ env: { MOSIX_RUN: other.runDir } });
  await terminal.shows(/mosmon on m1/);
  other.stopDaemon();
  await terminal.shows(/old: Cannot (reach|hear from) mosd/);
  await other.startDaemon();
  await terminal.shows(/1 of 1 nodes/);
  await other[Symbol.asyncDispose]();
});

test('mosmon prints the nodes once where there is no terminal, and as JSON', async () => {
  const { stdout, code } = await runLauncher('mosmon', [], { env });
  assert.equal(code, 0);
  assert.match(stdout, /^1 of 2 nodes[^]*^n1 [^]*^n2 +dead/m);
  assert.doesNotMatch(stdout, /\u001b/);
  const json = JSON.parse((await runLauncher('mosmon', ['--json'], { env })).stdout) as Record<string, unknown[]>;
  assert.deepEqual(Object.keys(json), ['node', 'nodes', 'processes', 'totals']);
  assert.equal(json['processes'].length, 2);
  assert.equal((await runLauncher('mosmon', [], { env: { MOSIX_RUN: '/nonexistent' } })).code, 69);
});

test('mosmon without a daemon says on its screen what to do', { timeout }, async () => {
  await using terminal = started({ env: { MOSIX_RUN: '/nonexistent' } });
  await terminal.shows(/start it with: /);
  await until('it has drawn', () => terminal.written !== '');
});
