/** Whatever breaks at whatever step of a move from one hosting node to the next, the program goes on where it is, or there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onwardSteps, type OnwardStep } from '../../src/engine/image/departure_types.ts';
import type { MosdList } from '../../src/wire/command_protocol.ts';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { SharingPair } from './sharing_pair.ts';
import { command, Counter, engineLogged, moved, PATIENCE_MS, untilUntouched } from './support.ts';

interface Damage {
  name: string;
  break: (cluster: Cluster) => Promise<void>;
  repair?: (cluster: Cluster, step: OnwardStep) => Promise<void>;
  /** Where it is afterwards. A cut may come before or after the last of its pages. */
  isThen: (step: OnwardStep) => RegExp;
}

const damages: readonly Damage[] = [
  {
    name: "kill -9 of the next node's engine",
    break: (cluster) => cluster.killDaemon(cluster.host('n3'), 'engine'),
    isThen: () => /^n2$/,
  },
  {
    name: 'cutting off the next node',
    break: (cluster) => cluster.host('n3').cut(),
    repair: (cluster) => cluster.host('n3').heal(),
    isThen: (step) => (step === 'onward-prepared' ? /^n2$/ : /^n[23]$/),
  },
  {
    name: "kill -9 of the last node's mosd",
    break: (cluster) => cluster.killDaemon(cluster.host('n2'), 'mosd'),
    repair: async (cluster) => void cluster.startDaemon(cluster.host('n2')),
    isThen: () => /^n3$/,
  },
  {
    name: "kill -9 of the home's mosd",
    break: (cluster) => cluster.killDaemon(cluster.home, 'mosd'),
    repair: async (cluster, step) => void cluster.startDaemon(cluster.home, { MOSIX_HOLD_AT: step }),
    isThen: () => /^n3$/,
  },
];

const skip = await whySkip();

describe('a program whose onward move is broken goes on', { skip, concurrency: onwardSteps.length }, () => {
  for (const step of onwardSteps) {
    test(`at the step "${step}"`, { timeout: 10 * PATIENCE_MS }, async (t) => {
      await using cluster = await startCluster({ homeEnv: { MOSIX_HOLD_AT: step }, timeoutMs: 2 * PATIENCE_MS });
      for (const damage of damages) {
        await t.test(`after ${damage.name}`, { timeout: 4 * PATIENCE_MS }, async () => {
          await survive(cluster, step, damage).catch((error: unknown) => {
            const logs = cluster.hosts.map((host) => cluster.logs(host)).join('\n');
            throw new Error(`${String(error)}\n${logs}`, { cause: error });
          });
        });
      }
      await t.test('the command hears at once that the program has ended', { timeout: 4 * PATIENCE_MS }, () =>
        hearOfEnd(cluster, step),
      );
      if (step !== 'onward-ready') return;
      await t.test("after kill -9 of the last node's engine", { timeout: 4 * PATIENCE_MS }, async () => {
        const kill = (): Promise<void> => cluster.killDaemon(cluster.host('n2'), 'engine');
        await survive(cluster, step, { name: '', break: kill, isThen: () => /^n3$/ });
      });
    });
  }
});

/** A program alone and two that share memory, both on their way to the next node when it breaks. */
async function survive(cluster: Cluster, step: OnwardStep, damage: Damage): Promise<void> {
  const counter = await Counter.start(cluster);
  const pair = await SharingPair.start(cluster);
  const both = [counter, pair];
  const moves = await Promise.all(both.map((one) => heldAt(cluster, step, one.pid)));
  await damage.break(cluster);
  const ends = await Promise.all(moves.map((move) => move.wait(2 * PATIENCE_MS)));
  await damage.repair?.(cluster, step);
  await cluster.ready(PATIENCE_MS);
  await Promise.all(both.map((one) => one.goesOn()));
  const settled = async (): Promise<MosdList['away'] | undefined> => {
    const { away } = await cluster.mosps();
    return away.some(({ state }) => state === 'moving') ? undefined : away;
  };
  const listed = await until(settled, { what: 'see the move end', timeoutMs: PATIENCE_MS });
  const placeOf = (pid: number): string => listed.find((row) => row.pid === pid)?.where ?? 'home';
  both.forEach(({ pid }, i) => {
    assert.match(placeOf(pid), damage.isThen(step), JSON.stringify(listed));
    if (placeOf(pid) !== 'n2') return;
    assert.notEqual(ends[i].code, 0);
    assert.match(moves[i].readStderr(), /^mosmigrate: Cannot [^\n]+\n$/);
  });
  const places = listed.filter(({ pid }) => pid !== counter.pid).map(({ where }) => where);
  assert.deepEqual(places, [placeOf(pair.pid), placeOf(pair.pid)], `where the pair is: ${JSON.stringify(listed)}`);
  for (const one of both) {
    await moved(cluster, one.pid, 'home');
    await untilUntouched(one.process.outsidePid);
    await one.goesOn();
    await one.finish();
  }
}

/** Moves a program to the second node, and begins to move it on to the third, until it is held at a step. */
async function heldAt(cluster: Cluster, step: OnwardStep, pid: number): Promise<HostProcess> {
  await moved(cluster, pid, 'n2');
  const move = cluster.home.spawn([command('mosmigrate'), String(pid), 'n3']);
  await engineLogged(cluster, new RegExp(`process\\.held pid=${pid} step=${step}\\b`));
  return move;
}

async function hearOfEnd(cluster: Cluster, step: OnwardStep): Promise<void> {
  const both = [await Counter.start(cluster), await SharingPair.start(cluster)];
  const moves = await Promise.all(both.map(({ pid }) => heldAt(cluster, step, pid)));
  for (const { process } of both) process.kill('SIGKILL');
  for (const move of moves) {
    const { code } = await move.wait(PATIENCE_MS / 2); // less than an engine waits for an answer
    assert.notEqual(code, 0);
    assert.match(move.readStderr(), /^mosmigrate: Cannot [^\n]+\n$/);
  }
}
