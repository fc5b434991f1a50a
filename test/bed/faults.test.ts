/** Breaking hosts and links, and limiting them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bed } from './bed.ts';
import { type Controller, limitControllers } from './cgroups.ts';
import type { Host } from './host.ts';
import { echo, echoServer, NODE_DIRECTORY, output, whySkip } from './testing.ts';
import { until } from './wait.ts';

const skip = await whySkip();
const controllers = skip === false ? limitControllers() : [];

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
    assert.ok(server.pid > 1);
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
  const needs = (name: Controller): string | false => (controllers.includes(name) ? false : `no ${name} controller`);

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
    await assert.rejects(host.run(['sh', '-c', 'while :; do :; done'], { timeoutMs: 1500 }), {
      name: 'BedTimeoutError',
    });
    const share = (host.cpuSeconds() - cpu) / ((performance.now() - time) / 1000);
    assert.ok(share > 0.1 && share < 0.35, `it had ${share} of a CPU`);
  });

  test('cpuset names the CPUs a host has', { skip: needs('cpuset') }, async () => {
    await using bed = await Bed.start({ hosts: [{ name: 'one', cpuset: '0' }] });
    assert.equal(await output(bed.host('one'), 'nproc'), '1');
  });
});
