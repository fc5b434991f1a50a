/**
 * A process that keeps moving does not wear out, and neither do the nodes it moves between.
 * MOSIX_ROUND_TRIPS sets how often it goes home → n2 → n3 → home: 1000 in the full form, few in every day's run.
 */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { Host } from '../bed/host.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { Control } from '../suite/control.ts';
import { Counter, PATIENCE_MS, procFile, statusField, untilUntouched } from './support.ts';

const skip = await whySkip();
const roundTrips = Number(process.env['MOSIX_ROUND_TRIPS'] ?? 40);
/** Rounds until the engines have compiled their code and filled their buffers. */
const warmUp = 10;
const MEGABYTE = 1 << 20;
/** Longer than an engine takes to make one more blank process ready. */
const settlingMs = 1200;
/** What an engine's memory may grow by: it is collected when V8 sees fit. */
const engineSlack = 96 * MEGABYTE;

const cachedFile = '/memfd:mosix-file (deleted)';

interface NodeState {
  processes: number;
  /** how many of each kind, as in { 'socket:[]': 12 } */
  descriptors: Record<string, number>;
  threads: number;
  /** Each worker of an engine has a cache of its own. */
  cachedFiles: number;
  memory: number;
}

describe('a process that keeps moving', { skip }, () => {
  const seconds = 60 + roundTrips;
  test(
    `is the same after ${roundTrips} round trips, and so are the nodes`,
    { timeout: 3 * PATIENCE_MS + seconds * 1000 },
    async (t) => {
      await using cluster = await startCluster({ timeoutMs: PATIENCE_MS });
      using control = await Control.connect(cluster.home);
      const counter = await Counter.start(cluster);
      const outside = counter.process.outsidePid;
      await roundsOf(warmUp, { control, pid: counter.pid });
      await untilUntouched(outside);
      await counter.goesOn();
      const before = { process: processState(outside), nodes: await nodeStates(cluster) };

      const begin = performance.now();
      await roundsOf(roundTrips, { control, pid: counter.pid });
      t.diagnostic(`${((performance.now() - begin) / (3 * roundTrips)).toFixed(1)} ms a move`);

      await untilUntouched(outside);
      await counter.goesOn();
      assert.deepEqual(processState(outside), before.process);
      for (const [name, after] of Object.entries(await nodeStates(cluster))) {
        const { memory, cachedFiles, ...rest } = after;
        const { memory: memoryBefore, cachedFiles: filesBefore, ...restBefore } = before.nodes[name];
        assert.deepEqual(rest, restBefore, `node ${name}`);
        assert.ok(cachedFiles <= filesBefore * rest.threads, `${cachedFiles} cached files, ${filesBefore} before`);
        const growth = memory - memoryBefore;
        t.diagnostic(`the engine of ${name} grew by ${(growth / MEGABYTE).toFixed(1)} MB`);
        assert.ok(growth < engineSlack, `the engine of ${name} grew by ${growth} bytes`);
      }
      await counter.finish();
    },
  );
});

async function roundsOf(count: number, { control, pid }: { control: Control; pid: number }): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    for (const to of ['n2', 'n3', 'home']) await control.move(pid, to);
  }
}

/** What of a process would show a leak, or a trace of having been away. */
function processState(outside: number): object {
  const status = ['Threads', 'SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'Seccomp', 'TracerPid', 'VmSize'];
  return {
    // The heap may be split by what is resident in it, and the paths of a test host are long.
    maps: procFile(outside, 'maps')
      .split('\n')
      .map((line) => line.replace(/^(\S+ \S+) \S+ \S+ \S+\s*(\S*\/)?/, '$1 ')),
    status: status.map((field) => [field, statusField(outside, field)]),
    descriptors: readdirSync(`/proc/${outside}/fd`),
    limits: procFile(outside, 'limits'),
  };
}

/** As they are when nothing ends or begins any more: a guest's processes are still ending when it is home already. */
async function nodeStates(cluster: Cluster): Promise<Record<string, NodeState>> {
  const look = (): Record<string, NodeState> =>
    Object.fromEntries(cluster.hosts.map((host) => [host.name, nodeState(cluster, host)]));
  const counts = (states: Record<string, NodeState>): unknown =>
    Object.values(states).map(({ processes, descriptors, threads }) => ({ processes, descriptors, threads }));
  let states = look();
  let since = performance.now();
  const settled = (): boolean => {
    const now = look();
    if (!isDeepStrictEqual(counts(now), counts(states))) since = performance.now();
    states = now;
    return performance.now() - since > settlingMs;
  };
  await until(settled, { what: 'see the nodes settle', timeoutMs: PATIENCE_MS, everyMs: 100 });
  return states;
}

function nodeState(cluster: Cluster, host: Host): NodeState {
  const engine = cluster.daemonPid(host, 'engine');
  const { [cachedFile]: cachedFiles = 0, ...descriptors } = descriptorKinds(engine);
  return {
    processes: host.processes().length,
    descriptors,
    cachedFiles,
    threads: readdirSync(`/proc/${engine}/task`).length,
    memory: Number.parseInt(statusField(engine, 'VmRSS') ?? '', 10) * 1024,
  };
}

function descriptorKinds(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}
