import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';

import { FakeNode, freePort, until } from '../../test/system/fake_node.ts';
import { NOBODY, run, whyNotAsNobody } from '../../test/system/run.ts';
import { CommandClient } from '../wire/command_client.ts';
import { commandSocket } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { LineClient } from '../wire/line_client.ts';
import { LineClientError, RefusedError } from '../wire/line_errors.ts';

const needsRoot = whyNotAsNobody();

/** A process to act on, ended with the block. */
function sleeper(uid?: number): ChildProcess & Disposable {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', uid });
  return Object.assign(child, { [Symbol.dispose]: () => void child.kill('SIGKILL') });
}

async function ask(node: FakeNode): Promise<{ mosd: CommandClient } & Disposable> {
  const connection = await LineClient.connect(commandSocket(node.runDir), 2_000);
  return { mosd: new CommandClient(connection), [Symbol.dispose]: () => connection[Symbol.dispose]() };
}

function refused(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RefusedError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

/** Two linked nodes; the second only has to be there. */
async function pair(): Promise<{ home: FakeNode } & AsyncDisposable> {
  const [first, second] = await Promise.all([freePort(), freePort()]);
  const place = { address: '127.0.0.1', guestPort: 1 };
  const home = await FakeNode.start({ name: 'n1', port: first, peers: [{ ...place, name: 'n2', port: second }] });
  const away = await FakeNode.start({ name: 'n2', port: second, peers: [{ ...place, name: 'n1', port: first }] });
  using client = await ask(home);
  await until('n2 is up', async () => (await client.mosd.nodes()).every(({ state }) => state === 'up'));
  return {
    home,
    [Symbol.asyncDispose]: async () => {
      await away[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** What comes back for raw bytes until the connection ends. */
function send(node: FakeNode, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(commandSocket(node.runDir), () => socket.write(bytes));
    socket.on('data', (piece: Buffer) => (received += piece.toString()));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(received));
  });
}

test('migrate hands the request to the engine, and its progress and result back', async () => {
  await using nodes = await pair();
  using target = sleeper();
  using client = await ask(nodes.home);
  const pid = target.pid ?? 0;
  const result = { pid, to: 'n2', freezeMs: 3, totalMs: 9, bytes: 4096, threads: 1 };
  nodes.home.engine.behaviours['migrate'] = (_, progress) => {
    progress({ phase: 'pages', bytes: 1, total: 2 });
    return result;
  };
  const seen: unknown[] = [];
  assert.deepEqual(await client.mosd.migrate({ pid, to: 'n2' }, (progress) => seen.push(progress)), result);
  assert.deepEqual(seen, [{ phase: 'pages', bytes: 1, total: 2 }]);
  assert.deepEqual(nodes.home.engine.asked('migrate')[0].to, { name: 'n2', address: '127.0.0.1', guestPort: 1 });
});

test('migrate brings home when told home or the name of the home node', async () => {
  await using nodes = await pair();
  using target = sleeper();
  using client = await ask(nodes.home);
  const pid = target.pid ?? 0;
  nodes.home.engine.behaviours['home'] = () => ({ pid, from: 'n2', freezeMs: 1, totalMs: 1, bytes: 0 });
  await client.mosd.migrate({ pid, to: 'home' });
  await client.mosd.migrate({ pid, to: 'n1' });
  assert.equal(nodes.home.engine.asked('home').length, 2);
});

test('migrate answers at once when it is not to wait', async () => {
  await using nodes = await pair();
  using target = sleeper();
  using client = await ask(nodes.home);
  nodes.home.engine.behaviours['migrate'] = () => new Promise(() => {});
  assert.equal(await client.mosd.migrate({ pid: target.pid ?? 0, to: 'n2', wait: false }), undefined);
});

test('migrate refuses and says why when process or node are wrong', async () => {
  await using nodes = await pair();
  using target = sleeper();
  using client = await ask(nodes.home);
  const { mosd } = client;
  const pid = target.pid ?? 0;
  await assert.rejects(
    mosd.migrate({ pid: 4_194_303, to: 'n2' }),
    refused('no-such-process', /4194303 to n2: there is no such process/),
  );
  await assert.rejects(
    mosd.migrate({ pid, to: 'm2' }),
    refused('no-such-node', /"m2"; did you mean "n2"\? \(this node knows n1, n2\)/),
  );
  await assert.rejects(mosd.migrate({ pid: process.pid, to: 'n2' }), refused('stays-home', /it is mosd of this node/));
  const thread = Number(readdirSync(`/proc/${process.pid}/task`).find((tid) => Number(tid) !== process.pid));
  await assert.rejects(
    mosd.migrate({ pid: thread, to: 'n2' }),
    refused('no-such-process', new RegExp(`a thread of process ${process.pid}`)),
  );
  await assert.rejects(mosd.migrate({ pid: -1, to: 'n2' }), refused('bad-request', /pid/));
  await assert.rejects(mosd.migrate({ pid: 1.5, to: 'n2' }), refused('bad-request', /pid/));
  nodes.home.engine.behaviours['migrate'] = () => {
    throw new RefusedError('stays-home', 'a GPU is mapped');
  };
  await assert.rejects(
    mosd.migrate({ pid, to: 'n2' }),
    refused('stays-home', /^Cannot migrate process \d+ to n2: a GPU is mapped$/),
  );
});

test('migrate says that the node is unreachable and why when its link is down', async () => {
  const dead = { name: 'n2', address: '127.0.0.1', port: await freePort(), guestPort: 1 };
  await using node = await FakeNode.start({ name: 'n1', peers: [dead] });
  using target = sleeper();
  using client = await ask(node);
  await until('n2 is down', async () => (await client.mosd.nodes()).some(({ state }) => state === 'down'));
  await assert.rejects(
    client.mosd.migrate({ pid: target.pid ?? 0, to: 'n2' }),
    refused('node-unreachable', /nothing accepts connections there; all nodes: mosps --nodes/),
  );
  await assert.rejects(client.mosd.run({ restrict: 'n2' }), refused('node-unreachable', /nothing accepts/));
});

test('commands say that the engine is down when it is, and work again when it is back', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  using client = await ask(node);
  assert.equal((await client.mosd.hello()).engineDown, undefined);
  node.engine.stop();
  await until('mosd has seen it', async () => (await client.mosd.hello()).engineDown !== undefined);
  await assert.rejects(
    client.mosd.list(),
    refused('failed', /Cannot reach the engine of this node: .*; see .*engine\.log/),
  );
});

test('run moves the process when its connection closes, and only then', async () => {
  await using nodes = await pair();
  const { engine } = nodes.home;
  engine.behaviours['migrate'] = ({ pid }) => ({ pid, to: 'n2', freezeMs: 1, totalMs: 1, bytes: 1 });
  {
    using client = await ask(nodes.home);
    await client.mosd.run({ restrict: 'n2' });
    assert.equal(engine.asked('ping').length, 1);
    assert.equal(engine.asked('migrate').length, 0);
    assert.deepEqual(
      (await client.mosd.list()).home.map(({ pid, state }) => [pid, state]),
      [[process.pid, 'home']],
    );
  }
  await until('the engine is asked', () => engine.asked('migrate').length > 0);
  assert.equal(engine.asked('migrate')[0].pid, process.pid);
});

test('run moves nothing when it is taken back, or the program is to stay at home', async () => {
  await using nodes = await pair();
  const { engine } = nodes.home;
  {
    using first = await ask(nodes.home);
    await first.mosd.run({ restrict: 'n2' });
    await first.mosd.cancelRun();
    assert.deepEqual((await first.mosd.list()).home, []);
  }
  {
    using second = await ask(nodes.home);
    await second.mosd.run({ home: true });
  }
  using third = await ask(nodes.home);
  await third.mosd.list();
  assert.equal(engine.asked('migrate').length, 0);
});

test('run keeps the reason why a program stays at home when it could not be moved', async () => {
  await using nodes = await pair();
  nodes.home.engine.behaviours['migrate'] = () => {
    throw new RefusedError('stays-home', 'a GPU is mapped');
  };
  {
    using client = await ask(nodes.home);
    await client.mosd.run({ restrict: 'n2' });
  }
  using client = await ask(nodes.home);
  await until('the reason is shown', async () =>
    (await client.mosd.list()).home[0]?.reason?.includes('a GPU is mapped'),
  );
});

test('run makes a job of all that is started later, also when its parent ends, and a new mosd knows it', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  const script = 'sh -c "sleep 60 & echo \\$!"; read line';
  const env = { ...process.env, MOSIX_RUN: node.runDir };
  const argv = ['-h', '-J', 'mine', 'sh', '-c', script];
  const shell = spawn('bin/mosrun', argv, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  const orphan = Number(line.toString());
  const ours = async (): Promise<number[] | undefined> => {
    using client = await ask(node);
    return (await client.mosd.jobs()).find(({ tag }) => tag === 'mine')?.processes.toSorted((a, b) => a - b);
  };
  const expected = [shell.pid ?? 0, orphan].toSorted((a, b) => a - b);
  const isComplete = async (): Promise<boolean> => (await ours())?.join() === expected.join();
  await until('both are known', isComplete);
  node.stopDaemon();
  await node.startDaemon();
  assert.ok(await isComplete());
  shell.stdin.end('x\n');
  await until('only the orphan is left', async () => (await ours())?.join() === String(orphan));
  process.kill(orphan);
  await until('the job has ended', async () => (await ours()) === undefined);
});

test('a job within a job inherits its wishes, and may have others', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  const inner = (options: string): string => `bin/mosrun ${options} sleep 60 & `;
  const script = `${inner('')} ${inner('-J other')} read line`;
  const env = { ...process.env, MOSIX_RUN: node.runDir };
  const shell = spawn('bin/mosrun', ['-h', '-J', 'outer', 'sh', '-c', script], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const names = async (): Promise<string> => {
    using client = await ask(node);
    const home = (await client.mosd.list()).home.filter(({ comm }) => comm === 'sleep');
    return home
      .map(({ job }) => job)
      .toSorted((a = '', b = '') => a.localeCompare(b))
      .join();
  };
  let seen = '';
  const bothRun = async (): Promise<boolean> => (seen = await names()) === 'other,outer';
  // Two commands start behind a third: on a loaded machine that takes more than one patience.
  await until('both run', bothRun).catch(() => until('both run', bothRun));
  assert.equal(seen, 'other,outer');
  const { code, stdout } = await run(['bin/moskillall', '-J', 'outer'], { env: { MOSIX_RUN: node.runDir } });
  assert.deepEqual([code, stdout], [0, '2 processes of 2 jobs: SIGTERM\n']);
  await until('one is left', async () => (await names()) === 'other');
  await run(['bin/moskillall', '-KILL'], { env: { MOSIX_RUN: node.runDir } });
  await until('none is left', async () => (await names()) === '');
  shell.stdin.end();
});

test('list leaves out of the jobs at home what is away', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  using client = await ask(node);
  await client.mosd.run({});
  const row: ProcessRow = {
    pid: process.pid,
    uid: 0,
    comm: 'x',
    where: 'n2',
    home: 'n1',
    threads: 1,
    memoryBytes: 1,
    moves: 1,
    forwarded: 0,
    forwardedPerSecond: 0,
    state: 'away',
  };
  node.engine.list = { away: [row], guests: [], returned: [] };
  const list = await client.mosd.list();
  assert.deepEqual(list.home, []);
  // What this node knows better is added: the CPU time at home, and the name of the job.
  const [{ cpuMs = -1, cpuAwayMs: _away, job: _job, ...rest }] = list.away;
  assert.deepEqual(rest, row);
  assert.ok(cpuMs >= 0);
});

test("another user's process is not touched", { skip: needsRoot }, async () => {
  await using nodes = await pair();
  using mine = sleeper();
  using theirs = sleeper(NOBODY);
  const program = `
    const socket = require('node:net').connect(process.argv[1]);
    let id = 0;
    for (const op of ['migrate', 'release', 'calls']) for (const pid of process.argv.slice(2)) socket.write(JSON.stringify({ id: id++, op, pid: Number(pid), to: 'home' }) + '\\n');
    socket.write(JSON.stringify({ id: id++, op: 'shutdown' }) + '\\n');
    require('node:readline').createInterface(socket).on('line', (line) => { console.log(line); if (--id === 0) process.exit(); });`;
  nodes.home.engine.behaviours['home'] = ({ pid }) => ({ pid });
  nodes.home.engine.behaviours['release'] = () => ({ bytes: 1 });
  nodes.home.engine.behaviours['calls'] = () => ({ calls: [], reasons: [] });
  const { stdout } = await run(
    [process.execPath, '-e', program, commandSocket(nodes.home.runDir), String(mine.pid), String(theirs.pid)],
    { uid: NOBODY },
  );
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: number; ok: boolean; error?: { code: string } });
  const codes = answers.toSorted((a, b) => a.id - b.id).map(({ ok, error }) => (ok ? 'ok' : error?.code));
  assert.deepEqual(codes, ['not-permitted', 'ok', 'not-permitted', 'ok', 'not-permitted', 'ok', 'not-permitted']);
});

test('one user cannot take all connections', { skip: needsRoot }, async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  const program = `
    const { connect } = require('node:net');
    let closed = 0;
    const end = () => { if (++closed === 6) { console.log('6 refused'); process.exit(); } };
    for (let i = 0; i < 70; i++) connect(process.argv[1]).on('error', () => {}).on('close', end).resume();`;
  const { stdout } = await run([process.execPath, '-e', program, commandSocket(node.runDir)], { uid: NOBODY });
  assert.match(stdout, /6 refused/);
  using client = await ask(node);
  assert.equal((await client.mosd.hello()).node, 'n1');
});

test('CommandServer says what is wrong and closes when it gets no requests', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  const wrong: [bytes: string | Buffer, answer: RegExp][] = [
    ['GET / HTTP/1.1\r\n\r\n', /not JSON/],
    ['{"id":1}\n', /needs .*id.* and .*op/],
    ['[]\n', /needs/],
    ['null\n', /needs/],
    ['{"id":{},"op":"hello"}\n', /must be a number or a text/],
    [Buffer.alloc(2_000_000, 0x7b), /longer than 65536 bytes/],
    [Buffer.from([0, 1, 2, 255, 10]), /not JSON/],
    ['{"id":1,"op":"hello"}\n'.repeat(40), /more than 16 requests/],
  ];
  for (const [bytes, answer] of wrong) assert.match(await send(node, bytes), answer);
  using client = await ask(node);
  assert.equal((await client.mosd.hello()).node, 'n1');
});

test('CommandServer refuses an unknown request and goes on', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  using connection = await LineClient.connect(commandSocket(node.runDir), 2_000);
  for (const op of ['nonsense', 'constructor', '__proto__', '']) {
    await assert.rejects(connection.request(op), refused('bad-request', /there is no such request/));
  }
  await assert.rejects(connection.request('run', { options: { nonsense: 1 } }), refused('bad-request', /nonsense/));
  await connection.request('hello');
});

test('a second mosd refuses to start where one runs', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  await assert.rejects(node.startDaemon(), new RegExp(`already runs on this node as process ${process.pid}`));
});

test('LineClient fails its requests when the other side ends', async () => {
  await using node = await FakeNode.start({ name: 'n1' });
  using client = await ask(node);
  node.engine.behaviours['calls'] = () => new Promise(() => {});
  using target = sleeper();
  const pending = assert.rejects(client.mosd.calls(target.pid ?? 0), LineClientError);
  await until('the request is under way', () => node.engine.asked('calls').length > 0);
  node.stopDaemon();
  await pending;
});
