/** Whoever talks nonsense to a node, or lacks the key, is turned away with clear words, and guests notice nothing. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { Counter, daemonLog, moved, PATIENCE_MS, untilUntouched } from './support.ts';
import type { Ending } from './stranger.ts';

const skip = await whySkip();

/** Per misdeed what the node notes. All of them together take as long as the slowest. */
const beforeProof: Record<string, RegExp> = {
  garbage: /it does not speak TLS"/,
  zeros: /it does not speak TLS"/,
  silence: /the handshake took too long/,
  'half a hello': /the handshake took too long/,
  'half a hello, then the end': /it closed the connection during the handshake/,
  'an old TLS': /it does not speak TLS 1\.3/,
  'a wrong purpose': /is the right port configured/,
  'no certificate': /it shows no certificate/,
  'a foreign certificate': /its certificate is not of this cluster's authority/,
};
const onLines: Record<string, RegExp> = {
  'a line without an end': /./,
  'a line that is no JSON': /./,
};
describe('a node with a guest', { skip }, () => {
  let cluster: Cluster;
  let guest: Counter;
  let engine: number;
  let mosd: number;

  before(async () => {
    cluster = await startCluster({ timeoutMs: PATIENCE_MS });
    guest = await Counter.start(cluster);
    await moved(cluster, guest.pid, 'n2');
    [engine, mosd] = [cluster.daemonPid(cluster.host('n2'), 'engine'), cluster.daemonPid(cluster.host('n2'), 'mosd')];
  });

  after(async () => {
    await cluster.stop();
  });

  /** Has n3 misbehave towards n2. */
  async function misbehave(purpose: 'guest' | 'control', names: readonly string[]): Promise<Record<string, Ending>> {
    const n2 = cluster.host('n2');
    const script = join(import.meta.dirname, 'stranger.ts');
    const port = purpose === 'guest' ? '7101' : '7100';
    const argv = [process.execPath, '--no-warnings', script, n2.address, port, purpose, ...names];
    const { code, stdout, stderr } = await cluster.host('n3').run(argv, { timeoutMs: PATIENCE_MS });
    assert.equal(code, 0, stderr.toString());
    return JSON.parse(stdout.toString()) as Record<string, Ending>;
  }

  /** The same daemons run, the guest computes on, and the links between the nodes are up. */
  async function isUndisturbed(): Promise<void> {
    const n2 = cluster.host('n2');
    assert.deepEqual([cluster.daemonPid(n2, 'engine'), cluster.daemonPid(n2, 'mosd')], [engine, mosd]);
    await cluster.ready(PATIENCE_MS);
    await guest.goesOn();
    const { guests } = await cluster.mosps(n2);
    assert.deepEqual(
      guests.map(({ pid, home }) => [pid, home]),
      [[guest.pid, 'home']],
    );
  }

  const ports = [{ purpose: 'control', daemon: 'mosd', expected: { ...beforeProof, ...onLines } }] as const;
  for (const { purpose, daemon, expected } of ports) {
    test(`turns nonsense on its ${purpose} port away and says why`, { timeout: 2 * PATIENCE_MS }, async () => {
      const earlier = daemonLog(cluster, 'n2', daemon).length;
      const endings = await misbehave(purpose, Object.keys(expected));
      for (const name of Object.keys(expected)) assert.equal(endings[name]?.end, 'closed', name);
      // Whoever is turned away hears it before it is written down.
      const wanted = [...Object.values(expected), new RegExp(`refused[^\n]* from=${cluster.host('n3').address}`)];
      const missing = (): RegExp[] => {
        const log = daemonLog(cluster, 'n2', daemon).slice(earlier).replaceAll('\\"', '"');
        return wanted.filter((words) => !words.test(log));
      };
      await until(() => missing().length === 0, { what: 'find all reasons in the log', timeoutMs: 5000 }).catch(
        () => {},
      );
      assert.deepEqual(missing(), []);
      await isUndisturbed();
    });
  }

  test('is not kept busy by hundreds of strangers', { timeout: 2 * PATIENCE_MS }, async () => {
    for (const [purpose, daemon] of [['control', 'mosd']] as const) {
      const earlier = daemonLog(cluster, 'n2', daemon).length;
      const endings = Object.values(await misbehave(purpose, ['a crowd']));
      assert.equal(endings.length, 500);
      assert.ok(endings.every(({ end }) => end === 'closed'));
      const lines = daemonLog(cluster, 'n2', daemon).slice(earlier).split('\n');
      assert.ok(lines.filter((line) => /refused|unused/.test(line)).length < 500, 'strangers can fill the disk');
      await isUndisturbed();
    }
  });

  test('tells the other side why', { timeout: 2 * PATIENCE_MS }, async () => {
    for (const { purpose } of ports) {
      const endings = await misbehave(purpose, ['no certificate', 'a foreign certificate']);
      assert.match(endings['no certificate']?.received ?? '', /it shows no certificate/);
      assert.match(endings['a foreign certificate']?.received ?? '', /not of this cluster's authority/);
    }
  });

  test('takes and gives guests as before', { timeout: 4 * PATIENCE_MS }, async () => {
    const another = await Counter.start(cluster);
    await moved(cluster, another.pid, 'n2');
    await another.goesOn();
    await another.finish();
    await moved(cluster, guest.pid, 'home');
    await untilUntouched(guest.process.outsidePid);
    await guest.goesOn();
    await guest.finish();
  });
});
