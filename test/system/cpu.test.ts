/** A node whose CPU lacks what the program may use refuses it, and says what it lacks. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster } from '../bed/cluster.ts';
import { whySkip } from '../bed/testing.ts';
import { command, Counter, moved, PATIENCE_MS } from './support.ts';

const skip = await whySkip();

describe('a node with an older CPU', { skip }, () => {
  test('refuses what was started on a newer one', { timeout: 3 * PATIENCE_MS }, async () => {
    await using cluster = await startCluster({ daemons: false });
    const old = cluster.host('n2');
    const cpuinfo = (await old.readFile('/proc/cpuinfo')).toString();
    const [, lost] = /\b(sse4_2|ssse3|cx16|pni)\b/.exec(cpuinfo) ?? [];
    assert.ok(lost !== undefined);
    await old.writeFile('/run/cpuinfo', cpuinfo.replaceAll(` ${lost} `, ' '));
    assert.equal((await old.run(['mount', '--bind', '/run/cpuinfo', '/proc/cpuinfo'])).code, 0);
    for (const host of cluster.hosts) cluster.startDaemon(host);
    await cluster.ready(PATIENCE_MS);
    const program = await Counter.start(cluster);
    const refused = await cluster.home.run([command('mosmigrate'), String(program.pid), 'n2'], {
      timeoutMs: PATIENCE_MS,
    });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr.toString(), new RegExp(`this node's CPU lacks what its home's has \\(${lost}\\)`));
    await program.goesOn(1);
    await moved(cluster, program.pid, 'n3');
    await program.finish();
  });
});
