/** Which calls a process had made at home, how often, how long, and what brought it back: while it is away and afterwards. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CallList } from '../../src/wire/engine_protocol.ts';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import { whySkip } from '../bed/testing.ts';
import { command, Counter, moved, PATIENCE_MS } from './support.ts';

const skip = await whySkip();

async function callsOf(cluster: Cluster, pid: number): Promise<CallList> {
  const result = await cluster.home.run([command('mosps'), '--calls', String(pid), '--json'], {
    timeoutMs: PATIENCE_MS,
  });
  assert.equal(result.code, 0, result.stderr.toString());
  return JSON.parse(result.stdout.toString()) as CallList;
}

function writesOf({ calls }: CallList): { count: number; micros: number } {
  return calls.find(({ name }) => name === 'write') ?? { count: 0, micros: 0 };
}

describe('the list of calls', { skip }, () => {
  test(
    'counts while the process is away, from node to node, and over all its stays',
    { timeout: 6 * PATIENCE_MS },
    async () => {
      await using cluster = await startCluster({ timeoutMs: PATIENCE_MS });
      const counter = await Counter.start(cluster);
      const { pid } = counter;
      // The program writes once in a round: what it writes at home is not counted.
      const atHome = counter.rounds();
      assert.deepEqual(await callsOf(cluster, pid), { calls: [], reasons: [] });

      await moved(cluster, pid, 'n2');
      await counter.goesOn(5);
      const first = await callsOf(cluster, pid);
      assert.ok(writesOf(first).count >= 5, `${writesOf(first).count} writes`);
      assert.ok(writesOf(first).micros > 0);
      assert.deepEqual(first.reasons, []);

      await moved(cluster, pid, 'n3');
      await counter.goesOn(5);
      const second = await callsOf(cluster, pid);
      assert.ok(writesOf(second).count >= writesOf(first).count + 5, `${writesOf(second).count} writes`);

      await moved(cluster, pid, 'home');
      const back = await callsOf(cluster, pid);
      assert.deepEqual(back.reasons, [{ reason: 'recalled', count: 1 }]);
      const before = counter.rounds();
      assert.ok(writesOf(back).count >= writesOf(second).count && writesOf(back).count <= before - atHome + 1);
      await counter.goesOn(5);
      assert.deepEqual(await callsOf(cluster, pid), back);

      await moved(cluster, pid, 'n3');
      await counter.goesOn(5);
      await moved(cluster, pid, 'home');
      const last = await callsOf(cluster, pid);
      assert.ok(
        writesOf(last).count >= writesOf(back).count + 5 && writesOf(last).count <= counter.rounds() - atHome - 4,
      );
      assert.deepEqual(last.reasons, [{ reason: 'recalled', count: 2 }]);
      await counter.finish();
    },
  );
});
