/** The test-bed itself: hosts are machines of their own, can be broken in every way, and leave nothing behind. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Bed } from './bed.ts';
import { limitControllers } from './cgroups.ts';
import type { Host } from './host.ts';
import { until } from './wait.ts';

const probed = await Bed.probe();
const skip = probed.ok ? false : probed.help;
const NODE_DIRECTORY = dirname(process.execPath);
const HERE = dirname(fileURLToPath(import.meta.url));
const LEFTOVERS = join(HERE, 'leftovers.sh');

async function output(host: Host, ...argv: string[]): Promise<string> {
  const result = await host.run(argv);
  assert.equal(result.code, 0, `${argv.join(' ')}: ${result.stderr.toString()}`);
  return result.stdout.toString().trim();
}

/** A TCP echo server in the host; resolves once it listens. */
async function echoServer(host: Host): Promise<void> {
  const program = `require('net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(7, '0.0.0.0', () => console.log('listening'))`;
  const server = host.spawn([process.execPath, '-e', program]);
  await until(() => server.readStdout() !== '', { what: `listen on ${host.name}`, timeoutMs: 20_000 });
}

/** Sends a word to the echo server of `to` and says what came of it: the word, `timeout` or an error code. */
async function echo(from: Host, to: Host, timeoutMs = 500): Promise<string> {
  const program = `
    const s = require('net').connect(7, '${to.address}', () => s.write('hello'));
    s.on('data', (d) => { console.log(String(d)); process.exit(); });
    s.on('error', (e) => { console.log(e.code); process.exit(); });
    setTimeout(() => { console.log('timeout'); process.exit(); }, ${timeoutMs});`;
  return output(from, process.execPath, '-e', program);
}

describe('two hosts', { skip }, () => {
  let bed: Bed;
  let one: Host;
  let two: Host;
  before(async () => {
    bed = await Bed.start({ hosts: [{ name: 'one' }, { name: 'two', clockOffsetSeconds: 5_000_000 }], share: [NODE_DIRECTORY] });
    [one, two] = [bed.host('one'), bed.host('two')];
    await Promise.all([echoServer(one), echoServer(two)]);
  });
  after(() => bed?.stop());

  test('reach each other by address and by name', async () => {
    assert.equal(await echo(one, two, 5000), 'hello');
    assert.equal(await echo(two, one, 5000), 'hello');
    assert.match(await output(one, 'cat', '/etc/hosts'), /^10\.99\.0\.2 two$/m);
    assert.equal(await output(two, 'hostname'), 'two');
  });

  test('have monotonic clocks that differ', async () => {
    const uptime = async (host: Host): Promise<number> => Number((await output(host, 'cat', '/proc/uptime')).split(' ')[0]);
    const apart = (await uptime(two)) - (await uptime(one));
    assert.ok(Math.abs(apart - 4_900_000) < 10, `they are ${apart} s apart`);
  });

  test('lack the files of this machine', async () => {
    for (const directory of ['/home', '/root', '/srv']) assert.equal(await output(one, 'ls', '-A', directory), '', directory);
    assert.equal((await one.run(['test', '-e', HERE])).code, 1);
  });

  test('do not see each other\'s files and changes to /usr and /etc', async () => {
    await one.writeFile('/srv/deep/file', 'data', 0o600);
    await output(one, 'sh', '-c', 'echo new > /usr/bin/new-program; rm /etc/passwd');
    assert.equal(await output(one, 'stat', '-c', '%a %s', '/srv/deep/file'), '600 4');
    assert.equal((await one.readFile('/srv/deep/file')).toString(), 'data');
    assert.equal((await two.run(['ls', '/srv/deep'])).code, 2);
    assert.equal((await two.run(['ls', '/usr/bin/new-program'])).code, 2);
    assert.ok(existsSync('/etc/passwd') && !existsSync('/usr/bin/new-program'));
    await output(two, 'cat', '/etc/passwd');
  });

  test('show a shared directory read-only', async () => {
    assert.equal((await one.run(['sh', '-c', `: > ${NODE_DIRECTORY}/x`])).code, 2);
    assert.match(await output(one, process.execPath, '--version'), /^v/);
  });

  test('reap orphans', async () => {
    await output(one, 'sh', '-c', '(sleep 0.05 &) ; true');
    const noZombie = async (): Promise<boolean> => !(await output(one, 'ps', '-eo', 'stat,comm')).includes('sleep');
    await until(noZombie, { what: 'reap', timeoutMs: 5000 });
  });

  test('let their root make cgroups for guests', async () => {
    await output(two, 'sh', '-c', 'mkdir /sys/fs/cgroup/guest && sh -c "echo 0 > /sys/fs/cgroup/guest/cgroup.procs" && rmdir /sys/fs/cgroup/guest');
    assert.match(await output(two, 'cat', '/proc/self/cgroup'), /^0::\/init$/m);
  });
});

describe('Host.run and Host.spawn', { skip }, () => {
  let bed: Bed;
  let host: Host;
  before(async () => {
    bed = await Bed.start({ hosts: [{ name: 'one' }] });
    host = bed.host('one');
  });
  after(() => bed?.stop());

  test('report exit codes, signals, programs not found and not executable', async () => {
    const status = async (...argv: string[]): Promise<unknown[]> => {
      const { code, signal } = await host.run(argv);
      return [code, signal];
    };
    assert.deepEqual(await status('sh', '-c', 'exit 137'), [137, null]);
    assert.deepEqual(await status('sh', '-c', 'kill -SEGV $$'), [null, 'SIGSEGV']);
    assert.deepEqual(await status('no-such-program'), [127, null]);
    assert.deepEqual(await status('/etc/passwd'), [126, null]);
  });

  test('hand over input, directory, environment and user, and nothing else', async () => {
    const script = 'cat; pwd; id -u; id -g; id -G; echo "$WORD $HOME"; env | wc -l';
    const { stdout } = await host.run(['sh', '-c', script], { input: 'in\n', cwd: '/var', uid: 4321, env: { WORD: 'w' } });
    assert.equal(stdout.toString(), 'in\n/var\n4321\n4321\n4321\nw /tmp\n5\n'); // PATH HOME LANG WORD PWD
  });

  test('carry large output whole', async () => {
    const { stdout } = await host.run(['head', '-c', '5000000', '/dev/zero']);
    assert.equal(stdout.length, 5_000_000);
  });

  test('do not wait for a server left behind', async () => {
    const { code } = await host.run(['sh', '-c', 'sleep 1000 & exit 3'], { timeoutMs: 5000 });
    assert.equal(code, 3);
  });

  test('kill a program that takes too long', async () => {
    await assert.rejects(host.run(['sleep', '1234'], { timeoutMs: 100 }), { name: 'BedTimeoutError' });
    const gone = async (): Promise<boolean> => !(await output(host, 'ps', '-eo', 'args')).includes('sleep 1234');
    await until(gone, { what: 'end sleep', timeoutMs: 5000 });
  });

  test('know a process by its pid inside and outside', async () => {
    const sleeper = host.spawn(['sleep', '1000']);
    assert.equal(await output(host, 'readlink', `/proc/${sleeper.pid}/exe`), '/usr/bin/sleep');
    assert.match(readFileSync(`/proc/${sleeper.outsidePid}/cmdline`, 'utf8'), /^sleep\0/);
    sleeper.kill('SIGTERM');
    assert.deepEqual(await sleeper.wait(5000), { code: null, signal: 'SIGTERM' });
  });

  test('end properly when the program was stopped and continued from inside', async () => {
    const stopped = host.spawn(['sh', '-c', 'kill -STOP $$; exit 5']);
    const state = async (): Promise<string> => output(host, 'ps', '-o', 'stat=', '-p', String(stopped.pid));
    await until(async () => (await state()).startsWith('T'), { what: 'stop', timeoutMs: 5000 });
    await output(host, 'kill', '-CONT', String(stopped.pid));
    assert.deepEqual(await stopped.wait(5000), { code: 5, signal: null });
  });

  test('talk through a pipe', async () => {
    const cat = host.spawn(['cat'], { input: 'pipe' });
    cat.stdin?.write('first ');
    await until(() => cat.readStdout() === 'first ', { what: 'echo', timeoutMs: 5000 });
    cat.stdin?.end('second');
    await cat.wait(5000);
    assert.equal(cat.readStdout(), 'first second');
  });

  test('host.cpuSeconds counts what ran, also in a removed cgroup and after its end', async () => {
    const before = host.cpuSeconds();
    const burn = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
    const guest = `mkdir /sys/fs/cgroup/g; sh -c 'echo 0 > /sys/fs/cgroup/g/cgroup.procs; ${burn}; times'; rmdir /sys/fs/cgroup/g`;
    const { stdout } = await host.run(['sh', '-c', guest]);
    const [, minutes, seconds] = /^(\d+)m([\d.]+)s/.exec(stdout.toString()) ?? [];
    const used = Number(minutes) * 60 + Number(seconds);
    const counted = host.cpuSeconds() - before;
    assert.ok(used > 0.05, `the loop used ${used} s`);
    assert.ok(counted >= used * 0.95 && counted < used + 1, `${counted} s counted, ${used} s used`);
  });
});

describe('faults', { skip }, () => {
  let bed: Bed;
  let one: Host;
  let two: Host;
  const start = async (): Promise<void> => {
    bed = await Bed.start({ hosts: [{ name: 'one' }, { name: 'two' }], share: [NODE_DIRECTORY] });
    [one, two] = [bed.host('one'), bed.host('two')];
    await echoServer(two);
  };

  /** A connection from one to two; its words appear when the peer answers or the connection ends. */
  async function connection(): Promise<{ words: () => string }> {
    const program = `
      const s = require('net').connect(7, '${two.address}', () => s.write('open'));
      s.on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code)).on('close', () => console.log('closed'));`;
    const client = one.spawn([process.execPath, '-e', program]);
    await until(() => client.readStdout().includes('open'), { what: 'connect', timeoutMs: 20_000 });
    return { words: () => client.readStdout() };
  }

  test('cut and heal', async () => {
    await start();
    await using _ = bed;
    await two.cut();
    assert.match(await echo(one, two), /timeout|EHOSTUNREACH/);
    await two.heal();
    await until(async () => (await echo(one, two)) === 'hello', { what: 'heal', timeoutMs: 10_000 });
  });

  test('kill closes connections', async () => {
    await start();
    await using _ = bed;
    const { words } = await connection();
    const server = two.spawn(['sleep', '1000']);
    await two.kill();
    await until(() => words().includes('closed'), { what: 'hear of the death', timeoutMs: 10_000 });
    assert.equal((await server.wait(5000)).signal, 'SIGKILL');
    assert.equal(two.alive, false);
    assert.throws(() => two.spawn(['true']), { message: 'Cannot run true on two: the host is dead' });
  });

  test('powerLoss tells nobody', async () => {
    await start();
    await using _ = bed;
    const { words } = await connection();
    await two.powerLoss();
    assert.match(await echo(one, two, 300), /timeout|EHOSTUNREACH/);
    assert.equal(words(), 'open\n');
  });

  test('hang and resume', async () => {
    await start();
    await using _ = bed;
    await two.hang();
    assert.equal(await echo(one, two), 'timeout'); // the kernel still accepts, the server does not answer
    await two.resume();
    assert.equal(await echo(one, two, 5000), 'hello');
    await two.hang();
    await two.kill();
  });

  test('shape limits the rate both ways until lifted', async () => {
    await start();
    await using _ = bed;
    const bytes = 4_000_000;
    const program = `
      const data = Buffer.alloc(${bytes}); let got = 0; const t = performance.now();
      const s = require('net').connect(7, '${two.address}', () => s.write(data));
      s.on('data', (d) => { got += d.length; if (got === data.length) { console.log((performance.now() - t) / 1000); process.exit(); } });`;
    const seconds = async (): Promise<number> => Number(await output(one, process.execPath, '-e', program));
    await two.shape({ rate: '40mbit' });
    const slow = await seconds(); // 0.8 s each way, both at once
    await two.shape({});
    const fast = await seconds();
    assert.ok(slow > 0.6 && slow < 5, `slow: ${slow} s`);
    assert.ok(fast < slow / 3, `fast: ${fast} s`);
  });
});

describe('limits', { skip }, () => {
  const controllers = probed.ok ? limitControllers() : [];
  const needs = (name: 'cpu' | 'cpuset' | 'memory'): string | false => (controllers.includes(name) ? false : `no ${name} controller`);

  test('memoryBytes ends a program that needs more', { skip: needs('memory') }, async () => {
    await using bed = await Bed.start({ hosts: [{ name: 'one', memoryBytes: 64 << 20 }] });
    const eat = (size: number): string[] => ['perl', '-e', `my $x = "x" x (${size} << 20); print length $x`];
    assert.equal((await bed.host('one').run(eat(20))).code, 0);
    assert.equal((await bed.host('one').run(eat(200))).signal, 'SIGKILL');
    assert.equal((await bed.host('one').run(eat(20))).code, 0);
  });

  test('cpus slows a program down', { skip: needs('cpu') }, async () => {
    await using bed = await Bed.start({ hosts: [{ name: 'one', cpus: 0.25 }] });
    const host = bed.host('one');
    const [cpu, time] = [host.cpuSeconds(), performance.now()];
    await assert.rejects(host.run(['sh', '-c', 'while :; do :; done'], { timeoutMs: 1500 }), { name: 'BedTimeoutError' });
    const share = (host.cpuSeconds() - cpu) / ((performance.now() - time) / 1000);
    assert.ok(share > 0.1 && share < 0.35, `it had ${share} of a CPU`);
  });

  test('cpuset names the CPUs a host has', { skip: needs('cpuset') }, async () => {
    await using bed = await Bed.start({ hosts: [{ name: 'one', cpuset: '0' }] });
    assert.equal(await output(bed.host('one'), 'nproc'), '1');
  });
});

describe('a bed leaves nothing behind', { skip }, () => {
  const PROGRAM = `
    import { Bed } from ${JSON.stringify(join(HERE, 'bed.ts'))};
    process.stdout.write('begin\\n');
    const bed = await Bed.start({ hosts: [{ name: 'one', cpus: 1, memoryBytes: 1e9 }, { name: 'two' }] });
    for (const host of bed.hosts) {
      host.spawn(['sleep', '1000']);
      host.spawn(['sh', '-c', 'mkdir /sys/fs/cgroup/guest; echo 0 > /sys/fs/cgroup/guest/cgroup.procs; kill -STOP $$']);
    }
    await bed.host('two').hang();
    process.stdout.write('complete\\n');
    await bed.host('one').run(['sleep', '1000'], { timeoutMs: 600_000 });`;

  /** Runs the program above, ends it by `signal` when `moment` has come, and compares before and after. */
  async function endAndCompare(signal: NodeJS.Signals, moment: (text: string) => Promise<boolean>): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), 'bed-test-'));
    const snapshot = join(directory, 'before');
    try {
      assert.equal(spawnSync(LEFTOVERS, ['snapshot', snapshot], { stdio: 'inherit' }).status, 0);
      const user = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => user.on('exit', resolve));
      let text = '';
      user.stdout.on('data', (data: Buffer) => (text += data.toString()));
      await until(() => moment(text), { what: 'reach the moment', timeoutMs: 20_000 });
      user.kill(signal);
      await ended;
      const compared = spawnSync(LEFTOVERS, ['compare', snapshot, '--only', `mosix-bed-${user.pid}-`], { encoding: 'utf8' });
      assert.equal(compared.status, 0, compared.stdout);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  const complete = async (text: string): Promise<boolean> => text.includes('complete');
  for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
    test(`when its user gets ${signal}`, () => endAndCompare(signal, complete));
  }

  test('when its user is killed while the bed is being made', async () => {
    for (let milliseconds = 0; milliseconds < 200; milliseconds += 25) {
      let begun = 0;
      await endAndCompare('SIGKILL', async (text) => {
        if (text !== '' && begun === 0) begun = performance.now();
        return begun !== 0 && performance.now() - begun > milliseconds;
      });
    }
  });

  test('after stop', async () => {
    const bed = await Bed.start({ hosts: [{ name: 'one' }] });
    const { pid1 } = bed.host('one');
    await bed.stop();
    assert.equal(existsSync(`/proc/${pid1}`), false);
    assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith(`mosix-bed-${process.pid}-`)), []);
  });

  test('when it cannot be made', async () => {
    await assert.rejects(Bed.start({ hosts: [{ name: 'one' }], share: ['/no/such/directory'] }), /Cannot start host one: .*no such/s);
    assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith(`mosix-bed-${process.pid}-`)), []);
  });
});
