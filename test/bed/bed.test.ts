/** Hosts are machines of their own: what they share with each other and with this machine, and what not. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Bed } from './bed.ts';
import type { Host } from './host.ts';
import { echo, echoServer, NODE_DIRECTORY, output, whySkip } from './testing.ts';
import { until } from './wait.ts';

const skip = await whySkip();
const HERE = import.meta.dirname;

describe('two hosts', { skip }, () => {
  let bed: Bed;
  let one: Host;
  let two: Host;
  before(async () => {
    bed = await Bed.start({
      hosts: [{ name: 'one' }, { name: 'two', clockOffsetSeconds: 5_000_000 }],
      share: [NODE_DIRECTORY],
    });
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
    const uptime = async (host: Host): Promise<number> =>
      Number((await output(host, 'cat', '/proc/uptime')).split(' ')[0]);
    const apart = (await uptime(two)) - (await uptime(one));
    assert.ok(Math.abs(apart - 4_900_000) < 10, `they are ${apart} s apart`);
  });

  test('lack the files of this machine', async () => {
    for (const directory of ['/home', '/root', '/srv']) {
      // The way to the shared directory is there, wherever this checkout lies.
      const shared = NODE_DIRECTORY.startsWith(`${directory}/`) ? NODE_DIRECTORY.split('/')[2] : '';
      assert.equal(await output(one, 'ls', '-A', directory), shared, directory);
    }
    assert.equal((await one.run(['test', '-e', HERE])).code, 1);
  });

  test("do not see each other's files and changes to /usr and /etc", async () => {
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

  test('let any user look into a shared directory', async () => {
    const shared = mkdtempSync('/root/bed-test-'); // mode 700, in a directory of mode 700
    try {
      writeFileSync(`${shared}/file`, 'content');
      await using third = await Bed.start({ hosts: [{ name: 'three' }], share: [shared] });
      const script = `cat ${shared}/file; echo new > ${shared}/file`;
      const result = await third.host('three').run(['sh', '-c', script], { uid: 1234 });
      assert.equal(result.stdout.toString(), 'content');
      assert.notEqual(result.code, 0);
      assert.notEqual((await third.host('three').run(['sh', '-c', script])).code, 0); // not even root may write
    } finally {
      rmSync(shared, { recursive: true });
    }
  });

  test('reap orphans', async () => {
    await output(one, 'sh', '-c', '(sleep 0.05 &) ; true');
    const noZombie = async (): Promise<boolean> =>
      !(await output(one, 'sh', '-c', 'cat /proc/[0-9]*/comm 2>/dev/null; true')).includes('sleep');
    await until(noZombie, { what: 'reap', timeoutMs: 5000 });
  });

  test('let their root make cgroups for guests', async () => {
    await output(
      two,
      'sh',
      '-c',
      'mkdir /sys/fs/cgroup/guest && sh -c "echo 0 > /sys/fs/cgroup/guest/cgroup.procs" && rmdir /sys/fs/cgroup/guest',
    );
    assert.match(await output(two, 'cat', '/proc/self/cgroup'), /^0::\/init$/m);
  });
});
