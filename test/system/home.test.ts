/** A program at home costs nothing and is touched by nobody; away it needs nothing of the host it is on. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { Host } from '../bed/host.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { anonymousMemory, Counter, moved, PATIENCE_MS, statusField, untilUntouched } from './support.ts';

const skip = await whySkip();
const MEGABYTE = 1 << 20;

describe('a program at home', { skip }, () => {
  test(
    'is neither traced nor filtered, before it left and after it came home',
    { timeout: 4 * PATIENCE_MS },
    async () => {
      await using cluster = await startCluster({ hosts: ['home', 'n2'], timeoutMs: PATIENCE_MS });
      const counter = await Counter.start(cluster);
      const outside = counter.process.outsidePid;
      await untilUntouched(outside);
      for (let round = 0; round < 2; round += 1) {
        await moved(cluster, counter.pid, 'n2');
        assert.notEqual(statusField(outside, 'TracerPid'), '0', 'its deputy is not traced: is it away at all?');
        await counter.goesOn();
        await moved(cluster, counter.pid, 'home');
        await untilUntouched(outside);
        await counter.goesOn();
      }
      await counter.finish();
    },
  );
});

/** Reads a line twice, and between them computes from its data file and the user list. Needs no module. */
const VISITOR = `
  $| = 1;
  my $word = <STDIN>;
  open my $data, '<', '/srv/bare/data' or die "data: $!";
  my ($h, $length) = (7, 0);
  while (sysread $data, my $chunk, 65536) {
    $length += length $chunk;
    $h = ($h * 33 + $_) & 0x7fffffff for unpack 'C*', $chunk;
  }
  open my $out, '>', $ARGV[0] or die "out: $!";
  print $out "$h\\n";
  close $out;
  print join(' ', $word =~ s/\\n//r, $length, $h, (getpwuid $<)[0] // 'nobody', $<, (stat '/srv/bare/data')[7]), "\\n";
  <STDIN>;
  exit 5;
`;
const UID = 4711;

describe('a host without the binary, the data and the user of a program', { skip }, () => {
  test('runs it with the same output as at home', { timeout: 4 * PATIENCE_MS }, async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'], timeoutMs: PATIENCE_MS });
    const [home, n2] = [cluster.home, cluster.host('n2')];
    await furnish(home);
    await assertBare(n2);

    const native = await home.run(['/srv/bare/tool', '-e', VISITOR, '/srv/bare/native'], {
      uid: UID,
      input: 'word\n\n',
    });
    assert.match(native.stdout.toString(), /^word 3145728 \d+ visitor 4711 3145728\n$/, native.stderr.toString());

    const argv = ['/srv/bare/tool', '-e', VISITOR, '/srv/bare/away'];
    const program = cluster.mosrun(argv, { uid: UID, interactive: true });
    await untilRegistered(cluster, program.pid);
    await moved(cluster, program.pid, 'n2');
    await moved(cluster, program.pid, '--release'); // also while it waits for its input
    const before = { home: home.cpuSeconds(), n2: n2.cpuSeconds() };
    program.stdin?.write('word\n');
    await until(() => program.readStdout().endsWith('\n'), { what: 'see its output', timeoutMs: PATIENCE_MS });
    const used = { home: home.cpuSeconds() - before.home, n2: n2.cpuSeconds() - before.n2 };
    assert.deepEqual(
      (await cluster.mosps()).away.map(({ pid, where }) => [pid, where]),
      [[program.pid, 'n2']],
    );
    assert.ok(used.n2 > used.home, `it used ${used.n2} s on n2 and ${used.home} s at home`);
    program.stdin?.end('\n');

    assert.deepEqual(await program.wait(PATIENCE_MS), { code: 5, signal: null }, program.readStderr());
    assert.equal(program.readStdout(), native.stdout.toString());
    assert.deepEqual(await home.readFile('/srv/bare/away'), await home.readFile('/srv/bare/native'));
    await assertBare(n2);
  });
});

/** Gives the home node a program, its data and its user. */
async function furnish(home: Host): Promise<void> {
  await home.writeFile('/srv/bare/data', Buffer.alloc(3 * MEGABYTE, 'all work and no play '), 0o644);
  await copyFile('/usr/bin/perl', home.outsidePath('/srv/bare/tool'));
  const users = await home.readFile('/etc/passwd');
  await home.writeFile('/etc/passwd', `${users.toString()}visitor:x:${UID}:${UID}::/srv/bare:/bin/sh\n`);
  const owned = await home.run(['chown', String(UID), '/srv/bare']);
  assert.equal(owned.code, 0);
}

async function assertBare(host: Host): Promise<void> {
  const { stdout } = await host.run(['sh', '-c', 'ls /srv; getent passwd visitor; true']);
  assert.equal(stdout.toString(), '');
}

async function untilRegistered(cluster: Cluster, pid: number): Promise<void> {
  const listed = async (): Promise<boolean> =>
    (await cluster.mosps()).home.some((row) => row.pid === pid && row.comm === 'tool');
  await until(listed, { what: 'see the program in mosps', timeoutMs: PATIENCE_MS, everyMs: 20 });
}

describe('the memory of a program of 500 MB that left', { skip }, () => {
  test('is given back to the home node by 80 % and comes home as it was', { timeout: 6 * PATIENCE_MS }, async () => {
    const hosts = [{ name: 'home', memoryBytes: 2048 * MEGABYTE }, 'n2'];
    await using cluster = await startCluster({ hosts, timeoutMs: PATIENCE_MS });
    const counter = await Counter.start(cluster, { megabytes: 500 });
    const outside = counter.process.outsidePid;
    const resident = (): number => Number.parseInt(statusField(outside, 'VmRSS') ?? '', 10) * 1024;
    await moved(cluster, counter.pid, 'n2');
    const before = { process: resident(), host: anonymousMemory(outside) };
    assert.ok(before.process > 500 * MEGABYTE, `${before.process} bytes are resident`);

    const released = await moved(cluster, counter.pid, '--release');
    assert.match(released, /\d+ MB given back to this node/);
    const after = { process: resident(), host: anonymousMemory(outside) };
    assert.ok(after.process < 0.2 * before.process, `VmRSS fell from ${before.process} to ${after.process} bytes`);
    const fall = before.host - after.host;
    assert.ok(fall > 0.8 * before.process, `the host's memory fell from ${before.host} to ${after.host} bytes`);

    await counter.goesOn();
    await moved(cluster, counter.pid, 'home');
    assert.ok(resident() > 500 * MEGABYTE, `${resident()} bytes are resident after it came home`);
    await untilUntouched(outside);
    await counter.finish();
  });
});
