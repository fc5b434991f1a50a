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
  garbage: /it does not speak the MOSIX protocol/,
  zeros: /it does not speak the MOSIX protocol/,
  silence: /handshake took longer|authenticate the link/,
  'half a hello': /handshake took longer|authenticate the link/,
  'half a hello, then the end': /closed/,
  'an absurd name length': /a name of 255 bytes/,
  'a wrong role': /it is a server, too/,
  'a wrong purpose': /is the right port configured/,
  'a wrong version': /protocol version 9, this node speaks 1/,
  'a wrong key': /"n3" does not hold this cluster's key/,
  'garbage for a proof': /something else than the proof/,
};
const onLines: Record<string, RegExp> = {
  'a name that is not listed': /not on the list of peers/,
  'a line without an end': /peer\.dropped/,
  'a line that is no JSON': /peer\.dropped/,
};
const inFrames: Record<string, RegExp> = {
  'an absurd frame length': /a frame announces 4294967295 bytes/,
  'a truncated frame': /the other side closed it/,
  'an unknown type of frame': /a frame of type 999/,
  'a preparation that is no JSON': /guest\.failed[^\n]*JSON/,
  'an empty preparation': /guest\.failed/,
  'pages of nothing': /a frame of type 5 before its preparation/,
  'file pages of nothing': /pages of an unknown file/,
  'an image before its preparation': /a frame of type 6 before its preparation/,
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
    const key = (await n2.readFile('/etc/mosix/cluster.key')).toString().trim();
    const script = join(import.meta.dirname, 'stranger.ts');
    const port = purpose === 'guest' ? '7101' : '7100';
    const argv = [process.execPath, '--no-warnings', script, n2.address, port, purpose, key, ...names];
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

  const ports = [
    { purpose: 'guest', daemon: 'engine', expected: { ...beforeProof, ...inFrames } },
    { purpose: 'control', daemon: 'mosd', expected: { ...beforeProof, ...onLines } },
  ] as const;
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
    for (const [purpose, daemon] of [
      ['guest', 'engine'],
      ['control', 'mosd'],
    ] as const) {
      const earlier = daemonLog(cluster, 'n2', daemon).length;
      const endings = Object.values(await misbehave(purpose, ['a crowd']));
      assert.equal(endings.length, 500);
      assert.ok(endings.every(({ end }) => end === 'closed'));
      const lines = daemonLog(cluster, 'n2', daemon).slice(earlier).split('\n');
      assert.ok(lines.filter((line) => /refused|unused/.test(line)).length < 500, 'strangers can fill the disk');
      await isUndisturbed();
    }
  });

  test('tells the other side why, by one byte', { timeout: 2 * PATIENCE_MS }, async () => {
    for (const purpose of ['guest', 'control'] as const) {
      const endings = await misbehave(purpose, ['garbage', 'a wrong version', 'a wrong key']);
      assert.equal(endings['garbage']?.received, 'e3');
      assert.equal(endings['a wrong version']?.received, 'e2');
      assert.match(endings['a wrong key']?.received ?? '', /^4d4f5358.*e1$/);
    }
  });

  test('survives frames of every type at the wrong time', { timeout: 2 * PATIENCE_MS }, async () => {
    const endings = await misbehave('guest', ['every type']);
    assert.equal(Object.keys(endings).length, 80);
    assert.deepEqual(
      Object.entries(endings).filter(([, { end }]) => end !== 'closed'),
      [],
    );
    await isUndisturbed();
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
