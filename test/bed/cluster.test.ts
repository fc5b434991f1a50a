/** Clusters on the test-bed come up, and their daemons can be ended and started one by one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster } from './cluster.ts';
import { whySkip } from './testing.ts';
import { until } from './wait.ts';

const skip = await whySkip();

describe('startCluster', { skip }, () => {
  test('returns when every daemon sees every peer up', async () => {
    await using cluster = await startCluster();
    assert.deepEqual(
      cluster.hosts.map(({ name }) => name),
      ['home', 'n2', 'n3'],
    );
    for (const host of cluster.hosts) {
      const nodes = await cluster.nodes(host);
      assert.deepEqual(nodes.map(({ name, state }) => `${name} ${state}`).toSorted(), ['home up', 'n2 up', 'n3 up']);
    }
  });

  test('says why it failed when a host is of another cluster, and removes the hosts', async () => {
    await assert.rejects(startCluster({ hosts: ['home', 'n2'], strangers: ['n2'], timeoutMs: 3000 }), {
      message: /^Cannot start the cluster: Cannot see all peers of home up.*--- home: mosd/s,
    });
  });

  test('leaves the daemons to the test on request', async () => {
    await using cluster = await startCluster({ hosts: ['home', { name: 'n2', cpus: 2 }], daemons: false });
    assert.throws(() => cluster.daemonPid(cluster.home, 'mosd'), /Cannot find the mosd of home/);
    cluster.startDaemon(cluster.home);
    cluster.startDaemon(cluster.host('n2'));
    await cluster.ready();
  });
});

describe('Cluster.killDaemon', { skip }, () => {
  test('ends one daemon; a new mosd finds the engine again', async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'] });
    const { home } = cluster;
    const engine = cluster.daemonPid(home, 'engine');
    await cluster.killDaemon(home, 'mosd');
    await assert.rejects(cluster.nodes(home));
    cluster.startDaemon(home);
    await cluster.ready();
    assert.equal(cluster.daemonPid(home, 'engine'), engine);
  });
});

describe('the commands', { skip }, () => {
  test('start, list and move a program, whose CPU time is then charged to the host it is on', async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'] });
    const [home, n2] = [cluster.home, cluster.host('n2')];
    const program = cluster.mosrun(['sh', '-c', 'i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done; times; exit 3']);
    const listed = async (): Promise<boolean> => (await cluster.mosps()).home.some(({ pid }) => pid === program.pid);
    await until(listed, { what: 'see the program in mosps', timeoutMs: 10_000 });
    const moved = await cluster.mosmigrate(program.pid, 'n2');
    assert.equal(moved.code, 0, moved.stderr.toString());
    const earlier = [home.cpuSeconds(), n2.cpuSeconds()];
    assert.deepEqual(await program.wait(60_000), { code: 3, signal: null });
    const [atHome, away] = [home.cpuSeconds() - earlier[0], n2.cpuSeconds() - earlier[1]];
    assert.ok(away > 0.5 && away > 3 * atHome, `${atHome} s at home, ${away} s away`);
  });
});
