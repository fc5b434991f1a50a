/** Running programs in a host: what they get, how they end, and what they cost. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Bed } from './bed.ts';
import type { Host } from './host.ts';
import { output, whySkip } from './testing.ts';
import { until } from './wait.ts';

const skip = await whySkip();

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
    const { stdout } = await host.run(['sh', '-c', script], {
      input: 'in\n',
      cwd: '/var',
      uid: 4321,
      env: { WORD: 'w' },
    });
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

  test('kill a program that takes too long, with its children', async () => {
    await assert.rejects(host.run(['sh', '-c', 'sleep 1234; true'], { timeoutMs: 300 }), { name: 'BedTimeoutError' });
    const commands = (): Promise<string> =>
      output(host, 'sh', '-c', "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
    const gone = async (): Promise<boolean> => !(await commands()).includes('sleep 1234');
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
    const stat = (): string => readFileSync(`/proc/${stopped.outsidePid}/stat`, 'utf8');
    await until(() => stat().includes(') T '), { what: 'stop', timeoutMs: 5000 });
    await output(host, 'sh', '-c', `kill -CONT ${stopped.pid}`); // kill(1) is not everywhere
    assert.deepEqual(await stopped.wait(5000), { code: 5, signal: null });
  });

  test('talk through a pipe', async () => {
    const cat = host.spawn(['cat'], { interactive: true });
    cat.stdin?.write('first ');
    await until(() => cat.readStdout() === 'first ', { what: 'echo', timeoutMs: 5000 });
    cat.stdin?.end('second');
    await cat.wait(5000);
    assert.equal(cat.readStdout(), 'first second');
  });

  test('host.cpuSeconds counts what ran, also in a removed cgroup and after its end', async () => {
    const earlier = host.cpuSeconds();
    const burn = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
    const guest = `mkdir /sys/fs/cgroup/g; sh -c 'echo 0 > /sys/fs/cgroup/g/cgroup.procs; ${burn}; times'; rmdir /sys/fs/cgroup/g`;
    const { stdout } = await host.run(['sh', '-c', guest]);
    const [, minutes, seconds] = /^(\d+)m([\d.]+)s/.exec(stdout.toString()) ?? [];
    const used = Number(minutes) * 60 + Number(seconds);
    const counted = host.cpuSeconds() - earlier;
    assert.ok(used > 0.05, `the loop used ${used} s`);
    assert.ok(counted >= used * 0.95 && counted < used + 1, `${counted} s counted, ${used} s used`);
  });
});
