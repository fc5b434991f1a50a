/** What holds for every command: its JSON has the documented form, and what goes wrong is said with the right exit code. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import * as v from 'valibot';

import { FakeNode, freePort } from '../../test/system/fake_node.ts';
import { NOBODY, run, runLauncher, whyNotAsNobody, type Outcome } from '../../test/system/run.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { ALL } from './commands/table.ts';
import { JSON_OUTPUTS } from './json/outputs.ts';
import { launcherOf } from './launcher.ts';

let node: FakeNode;
let env: Record<string, string>;
let mine: ChildProcess;
const uid = process.getuid?.() ?? 0;
const timeout = 120_000;
/** Each is a process of its own. */
const AT_A_TIME = 4;

async function forAll<T>(all: readonly T[], body: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all];
  const work = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await body(one);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

before(async () => {
  const peer = { name: 'n2', address: '127.0.0.1', port: await freePort(), guestPort: 1 };
  node = await FakeNode.start({ name: 'n1', peers: [peer] });
  env = { MOSIX_RUN: node.runDir };
  mine = spawn('sleep', ['600'], { stdio: 'ignore' });
  const row: ProcessRow = {
    pid: mine.pid ?? 0,
    uid,
    comm: 'sleep',
    where: 'n2',
    home: 'n1',
    threads: 1,
    memoryBytes: 4096,
    moves: 1,
    forwarded: 3,
    forwardedPerSecond: 0.5,
    state: 'away',
    reason: '',
    since: 1,
  };
  node.engine.list = {
    away: [row],
    guests: [{ ...row, pid: 77, home: 'n2', where: 'n1', state: 'guest', hostPid: 4_194_304 }],
    returned: [{ ...row, pid: 4_194_300, where: 'n1', state: 'home', reason: 'recalled' }],
  };
  const moved = { pid: row.pid, from: 'n2', freezeMs: 1, totalMs: 2, bytes: 3, threads: 1 };
  node.engine.behaviours['home'] = () => moved;
  node.engine.behaviours['release'] = () => ({ bytes: 4096 });
  node.engine.behaviours['calls'] = () => ({
    calls: [{ name: 'read', count: 1, micros: 30 }],
    reasons: [{ reason: 'recalled', count: 1 }],
  });
  node.engine.behaviours['expel'] = () => {
    node.engine.list = { ...node.engine.list, guests: [] };
    return {};
  };
});

after(async () => {
  mine.kill('SIGKILL');
  await node[Symbol.asyncDispose]();
});

async function runLine(line: string, more: Record<string, string> = {}): Promise<Outcome> {
  const [command, ...args] = line.split(' ');
  return runLauncher(command, args, { env: { ...env, ...more } });
}

/** With a real process and node in the places for them. */
function concrete(printed: string): string {
  return printed.replace('PID', String(mine.pid)).replace('NODE', 'n2').replace('NAME', 'night');
}

/** Evacuation changes what the others show. */
function isLast(line: string): boolean {
  return /expel|bring/.test(line);
}

test('each command prints with --json what docs/json says', { timeout }, async () => {
  const before = node.engine.list;
  const job = spawn(launcherOf('mosrun'), ['-J', 'night', 'sleep', '600'], { env: { ...process.env, ...env } });
  try {
    const lines = JSON_OUTPUTS.flatMap(({ schema, printed }) => printed.map((line) => ({ schema, line })));
    for (const { schema, line } of lines.toSorted((a, b) => Number(isLast(a.line)) - Number(isLast(b.line)))) {
      // The one is below; for the other a node must hold the authority, which test nodes do not (test/system does it).
      if (/kill|token/.test(line)) continue;
      if (line.endsWith('bring')) node.engine.list = { ...node.engine.list, away: [] };
      const { stdout, stderr } = await runLine(concrete(line));
      const values = stdout
        .split('\n')
        .filter(Boolean)
        .map((text): unknown => JSON.parse(text));
      assert.ok(values.length > 0 || line.startsWith('mosix events'), `${line} printed nothing; it said: ${stderr}`);
      for (const value of values) {
        const { issues } = v.safeParse(schema, value);
        const said = issues?.map((issue) => `${v.getDotPath(issue) ?? ''}: ${issue.message}`).join('; ');
        assert.equal(said, undefined, `${line}: ${JSON.stringify(value).slice(0, 500)}`);
      }
    }
    const killed = await runLine('moskillall -KILL -J night --json');
    const { schema } = JSON_OUTPUTS.find(({ name }) => name === 'signalled') ?? { schema: v.never() };
    assert.ok(v.is(schema, JSON.parse(killed.stdout)), killed.stdout);
  } finally {
    job.kill('SIGKILL');
    node.engine.list = before;
  }
});

test('each command refuses an option that it does not have, with a hint where one is near', { timeout }, async () => {
  await forAll(ALL, async ({ name, sameAs }) => {
    const { code, stdout, stderr } = await runLine(`${name} --hepl`);
    const [command] = (sameAs ?? name).split(' ');
    assert.deepEqual([code, stdout], [2, ''], name);
    assert.equal(stderr, `${command}: there is no option --hepl; did you mean "--help"?\n`);
  });
});

test('each command that asks mosd says when there is none, and what to do', { timeout }, async () => {
  const lines = [...JSON_OUTPUTS.flatMap(({ printed }) => printed), 'mosrun true', 'mosix logs'].map(concrete);
  await forAll(lines, async (line) => {
    const { code, stderr, stdout } = await runLine(line, { MOSIX_RUN: '/nonexistent' });
    if (line.startsWith('mosix doctor')) assert.match(stdout, /Cannot reach mosd: .*start it with: /);
    else if (line === 'mosix logs')
      assert.deepEqual([code, /Cannot read .*there is no such file/.test(stderr)], [1, true], stderr);
    else {
      assert.equal(code, 69, line);
      assert.match(stderr, /^mos\w+: Cannot reach mosd: nothing answers on \S+; start it with: .*\n$/);
    }
  });
});

test(
  'each command on a process says that there is none, or whose it is',
  { timeout, skip: whyNotAsNobody() },
  async () => {
    const lines = JSON_OUTPUTS.flatMap(({ printed }) => printed).filter((line) => line.includes('PID'));
    assert.ok(lines.length >= 6);
    await forAll(lines, async (line) => {
      const none = await runLine(line.replace('PID', '4194303').replace('NODE', 'home').replace('--json ', ''));
      assert.match(none.stderr, /^mos\w+: Cannot .*4194303.*: there is no such process/, line);
      assert.equal(none.code, 1, line);
      const [command, ...args] = concrete(line.replace('NODE', 'home')).split(' ');
      const other = await runLauncher(command, args, { env, uid: NOBODY });
      assert.deepEqual([other.code, /Cannot .*not yours/.test(other.stderr)], [77, true], `${line}: ${other.stderr}`);
    });
  },
);

test('each command ends quietly when nobody reads on, after 10000 lines and more', { timeout }, async () => {
  const [row] = node.engine.list.away;
  const many = Array.from({ length: 10_000 }, (_, index) => ({ ...row, pid: 100_000 + index }));
  const before = node.engine.list;
  node.engine.list = { ...before, away: many };
  try {
    for (const line of ['mosps', 'mosps --json', 'mosmon --json', 'mosrun --help', 'mosix --help']) {
      const [command, ...args] = line.split(' ');
      const script = `{ "$0" "$@"; echo "code $?" >&2; } | head -n 1`;
      const { stdout, stderr } = await run(['sh', '-c', script, launcherOf(command), ...args], { env });
      assert.equal(stderr, 'code 0\n', line);
      assert.equal(stdout.trimEnd().split('\n').length, 1);
    }
    const all = await runLine('mosps');
    assert.equal(
      all.stdout
        .trimEnd()
        .split('\n')
        .filter((text) => / sleep/.test(text)).length,
      10_001,
    );
  } finally {
    node.engine.list = before;
  }
});
