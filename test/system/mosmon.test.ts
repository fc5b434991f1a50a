/** mosmon on a real cluster: bars of what nodes measure, a program that moves, and a node that dies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../bed/cluster.ts';
import { whySkip } from '../bed/testing.ts';
import { Terminal } from '../suite/shell/terminal.ts';
import { command, Counter, moved, PATIENCE_MS } from './support.ts';

const skip = await whySkip();

test(
  'mosmon shows what nodes measure, moves as they happen, and a dead node',
  { skip, timeout: 4 * PATIENCE_MS },
  async () => {
    await using cluster = await startCluster({ hosts: ['home', 'n2'], timeoutMs: PATIENCE_MS });
    const env = { MOSIX_RUN: cluster.home.outsidePath('/run/mosix'), LC_ALL: 'C.UTF-8' };
    await using terminal = new Terminal([command('mosmon')], { env });
    await terminal.shows(/mosmon on home: load\n 2 of 2 nodes {3}\S+ CPUs {3}load \d+ {3}memory [\d.]+ [MG]B of /);
    terminal.type('s');
    await terminal.shows(/home: speed[^]*█{13} █{13}[^]* home +n2$/m); // a bar for each node
    const counter = await Counter.start(cluster);
    terminal.type('p');
    await terminal.shows(new RegExp(`^ *${counter.pid} home .* home +perl$`, 'm'));
    await moved(cluster, counter.pid, 'n2');
    await terminal.shows(new RegExp(`^\\d\\d:\\d\\d:\\d\\d {2}perl \\(${counter.pid}\\): home → n2$`, 'm'));
    await terminal.shows(new RegExp(`^ *${counter.pid} n2 .* away +perl$`, 'm'));
    await moved(cluster, counter.pid, 'home');
    await terminal.shows(new RegExp(`perl \\(${counter.pid}\\): n2 → home$`, 'm'));
    await counter.finish();
    await cluster.host('n2').powerLoss();
    terminal.type('\t\t');
    await terminal.shows(/1 of 2 nodes[^]*^n2 +dead: /m);
    terminal.type('q');
    assert.equal(await terminal.end(), 0);
  },
);
