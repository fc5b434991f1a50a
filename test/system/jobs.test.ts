/** Jobs: all that a program starts belongs to it, wherever it is, and moves, ends and is counted with it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { RunResult } from '../bed/host.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { command, Counter, PATIENCE_MS, untilUntouched } from './support.ts';

const skip = await whySkip();

/**
 * Makes processes without end: each lives some hundredths of a second and leaves a grandchild behind, whose parent is
 * gone. The first one counts how many of its children ended as they should.
 */
const STORM = `
  my ($good, $bad) = (0, 0);
  open my $out, '>', '/tmp/storm' or die;
  $| = 1;
  for (;;) {
    my @children = map {
      my $pid = fork();
      die unless defined $pid;
      if ($pid == 0) {
        if (fork() == 0) { my $s = 0; $s += $_ % 7 for 1 .. 200_000; exit 0; }
        my $s = 0; $s += $_ % 7 for 1 .. 200_000;
        exit 9;
      }
      $pid;
    } 1 .. 3;
    for my $pid (@children) { waitpid($pid, 0) == $pid && $? >> 8 == 9 ? $good++ : $bad++; }
    seek $out, 0, 0;
    syswrite $out, "$good $bad\\n";
  }
`;

for (const grouped of [true, false]) {
  const kind = grouped ? 'with a cgroup' : 'without cgroups, by its mark';

  describe(`a job ${kind}`, { skip }, () => {
    let cluster: Cluster;

    before(async () => {
      cluster = await startCluster({ timeoutMs: PATIENCE_MS, daemons: false });
      // Nobody can make a cgroup then, as in many containers.
      if (!grouped) await cluster.home.run(['mount', '-o', 'remount,bind,ro', '/sys/fs/cgroup']);
      for (const host of cluster.hosts) cluster.startDaemon(host);
      await cluster.ready(PATIENCE_MS);
    });

    after(async () => {
      await cluster.stop();
    });

    const run = (name: string, ...args: string[]): Promise<RunResult> =>
      cluster.home.run([command(name), ...args], { timeoutMs: 2 * PATIENCE_MS });

    async function processesOf(tag: string): Promise<number[]> {
      const jobs = (await cluster.request(cluster.home, 'jobs')) as { tag?: string; processes: number[] }[];
      return jobs.filter((job) => job.tag === tag).flatMap(({ processes }) => processes);
    }

    async function untilEnded(tag: string): Promise<void> {
      const ended = async (): Promise<boolean> => (await processesOf(tag)).length === 0;
      await until(ended, { what: `see no process of job ${tag}`, timeoutMs: PATIENCE_MS, everyMs: 50 });
    }

    async function stormRounds(): Promise<number> {
      const text = (await cluster.home.readFile('/tmp/storm')).toString();
      const [good, bad] = text.split(' ').map(Number);
      assert.equal(bad, 0, 'children that did not end as they should');
      return good;
    }

    async function stormGoesOn(storm: HostProcess): Promise<void> {
      const goal = (await stormRounds().catch(() => 0)) + 6;
      const look = async (): Promise<boolean> => {
        assert.ok(storm.running, storm.readStderr());
        return (await stormRounds().catch(() => 0)) >= goal;
      };
      await until(look, { what: `see ${goal} children end`, timeoutMs: PATIENCE_MS, everyMs: 20 });
    }

    test(
      'comes home as a whole in the middle of a fork storm, leaves again, and ends',
      { timeout: 8 * PATIENCE_MS },
      async () => {
        const storm = cluster.mosrun(['perl', '-e', STORM], { flags: ['-r', 'n2', '-J', 'storm'] });
        await stormGoesOn(storm);
        for (let round = 0; round < 3; round += 1) {
          const home = await run('mosmigrate', '-J', 'storm', 'home');
          assert.equal(home.code, 0, home.stderr.toString());
          assert.deepEqual((await cluster.mosps()).away, []);
          await untilUntouched(storm.outsidePid);
          await stormGoesOn(storm);
          const away = await run('mosmigrate', '-J', 'storm', round % 2 === 0 ? 'n3' : 'n2');
          const { away: rows } = await cluster.mosps();
          assert.ok(
            rows.some(({ pid }) => pid === storm.pid),
            away.stdout.toString() + away.stderr.toString(),
          );
          await stormGoesOn(storm);
        }
        const killed = await run('moskillall', '-KILL', '-J', 'storm');
        assert.equal(killed.code, 0, killed.stderr.toString());
        assert.equal((await storm.wait(PATIENCE_MS)).signal, 'SIGKILL');
        await untilEnded('storm');
      },
    );

    test('leaves again when it came home by itself', { timeout: 3 * PATIENCE_MS }, async () => {
      // A call that is never forwarded, after the start is over: each line says that it has been made.
      const script =
        '$| = 1; for (;;) { $x += $_ for 1 .. 4_000_000; if ($n++ == 3) { syscall(425, 0, 0); print "made\\n"; } }';
      const program = cluster.mosrun(['perl', '-e', script], { flags: ['-r', 'n2'] });
      const { pid } = program;
      const made = async (): Promise<boolean> => program.readStdout().includes('made');
      await until(made, { what: 'see the call made', timeoutMs: PATIENCE_MS });
      const away = async (): Promise<boolean> => (await cluster.mosps()).away.some((row) => row.pid === pid);
      await until(away, { what: 'see it leave again', timeoutMs: PATIENCE_MS });
      const report = (await cluster.request(cluster.home, 'calls', { pid })) as { reasons: { reason: string }[] };
      assert.ok(
        report.reasons.some(({ reason }) => reason === 'io_uring_setup'),
        JSON.stringify(report),
      );
      program.kill('SIGKILL');
      await program.wait(PATIENCE_MS);
    });

    test('leaves alone what its first process had started before', { timeout: 3 * PATIENCE_MS }, async () => {
      const script = `sleep 301 & echo $!; exec ${command('mosrun')} -J late sh -c 'sleep 302 & echo $!; wait'`;
      const shell = cluster.home.spawn(['sh', '-c', script]);
      const told = async (): Promise<number[] | undefined> => {
        const pids = shell.readStdout().trim().split('\n').map(Number);
        return pids.length === 2 ? pids : undefined;
      };
      const [earlier, own] = await until(told, { what: 'see both start', timeoutMs: PATIENCE_MS });
      const both = async (): Promise<boolean> => (await processesOf('late')).length >= 2;
      await until(both, { what: 'see two processes of the job', timeoutMs: PATIENCE_MS, everyMs: 20 });
      assert.deepEqual(new Set(await processesOf('late')), new Set([shell.pid, own]));
      const killed = await run('moskillall', '-KILL', '-J', 'late');
      assert.equal(killed.code, 0, killed.stderr.toString());
      await untilEnded('late');
      assert.equal((await cluster.home.run(['kill', '-KILL', String(earlier)])).code, 0, 'it runs still');
    });

    test(
      'leaves at home what it runs by mosnative, and all that this starts',
      { timeout: 3 * PATIENCE_MS },
      async () => {
        const native = `${command('mosnative')} sh -c 'sleep 303 & echo $!; wait'`;
        const script = `${native} & exec perl -e 'for (;;) { $x += $_ for 1 .. 100_000; select undef, undef, undef, 0.05 }'`;
        const shell = cluster.mosrun(['sh', '-c', script], { flags: ['-r', 'n2', '-J', 'mixed'] });
        const told = (): number | undefined => Number(shell.readStdout()) || undefined;
        const pid = await until(told, { what: 'see the native program start', timeoutMs: PATIENCE_MS });
        const onlyShell = async (): Promise<boolean> => {
          const { away, home, returned } = await cluster.mosps();
          return away.some((row) => row.pid === shell.pid) && [...away, ...home, ...returned].length === 1;
        };
        await until(onlyShell, { what: 'see nothing but the perl, away', timeoutMs: PATIENCE_MS, everyMs: 50 });
        const refused = await run('mosmigrate', String(pid), 'n2');
        assert.deepEqual([refused.code, /runs natively/.test(refused.stderr.toString())], [1, true]);
        assert.equal(
          (await run('moskillall', '-KILL', '-J', 'mixed')).stdout.toString(),
          '1 process of 1 job: SIGKILL\n',
        );
        await shell.wait(PATIENCE_MS);
        await untilEnded('mixed');
        assert.equal((await cluster.home.run(['kill', '-KILL', String(pid)])).code, 0, 'it runs still');
      },
    );

    test('keeps those whose parents have gone, also when mosd starts anew', { timeout: 3 * PATIENCE_MS }, async () => {
      const script = 'setsid sh -c "sleep 300 & sleep 300 &" & wait; sleep 0.2';
      const shell = cluster.mosrun(['sh', '-c', script], { flags: ['-J', 'orphans'] });
      await shell.wait(PATIENCE_MS);
      const two = async (): Promise<boolean> => (await processesOf('orphans')).length === 2;
      await until(two, { what: 'see two orphans', timeoutMs: PATIENCE_MS, everyMs: 20 });
      await cluster.killDaemon(cluster.home, 'mosd');
      cluster.startDaemon(cluster.home);
      await cluster.ready(PATIENCE_MS);
      await until(two, { what: 'see two orphans again', timeoutMs: PATIENCE_MS, everyMs: 20 });
      const listed = (await cluster.mosps()).home.filter(({ job }) => job === 'orphans');
      assert.deepEqual(
        listed.map(({ comm, state }) => `${comm} ${state}`),
        ['sleep home', 'sleep home'],
      );
      assert.equal((await run('moskillall', '-J', 'orphans')).stdout.toString(), '2 processes of 1 job: SIGTERM\n');
      await untilEnded('orphans');
    });

    test('has its CPU time counted wherever it was used', { timeout: 3 * PATIENCE_MS }, async () => {
      const program =
        'for (1 .. 3) { if (fork() == 0) { my $s = 0; $s += $_ for 1 .. 12_000_000; exit 0 } } 1 while wait() > 0';
      const { code, stderr } = await run('mosrun', '--time', '-r', 'n2', 'perl', '-e', `sleep 1; ${program}`);
      const said = stderr.toString();
      assert.equal(code, 0, said);
      const [, total, away] = /^real \S+ m?s, CPU (\S+) m?s, of which (\S+) m?s on other nodes$/m.exec(said) ?? [];
      assert.ok(Number(away) > 0.5 * Number(total) || / ms, of/.test(said), said);
    });

    test('may be looked at while it runs, and attached to', { timeout: 3 * PATIENCE_MS }, async () => {
      const counter = await Counter.start(cluster, { flags: ['-r', 'n2'] });
      const isAway = async (): Promise<boolean> => {
        const { away, home } = await cluster.mosps();
        const why = home.find(({ pid }) => pid === counter.pid)?.reason;
        assert.equal(why, undefined, 'it was not placed');
        return away.some(({ pid }) => pid === counter.pid);
      };
      await until(isAway, { what: 'see it away', timeoutMs: PATIENCE_MS, everyMs: 20 });
      await counter.goesOn(50);
      const [row] = (await cluster.mosps()).away.filter(({ pid }) => pid === counter.pid);
      assert.ok(row.memoryBytes > 4 << 20, `${row.memoryBytes} bytes are less than it fills`);
      const time = JSON.parse((await run('mostimeof', '--json', String(counter.pid))).stdout.toString()) as {
        homeMs: number;
        awayMs: number;
        totalMs: number;
      };
      assert.ok(time.awayMs > 0 && time.totalMs === time.homeMs + time.awayMs, JSON.stringify(time));
      const attached = await run('mosix', 'attach', String(counter.pid));
      assert.equal(attached.code, 0, attached.stderr.toString());
      await untilUntouched(counter.process.outsidePid);
      await counter.finish();
    });
  });
}
