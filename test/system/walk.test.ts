/** Whatever breaks at whatever step of a migration, the program goes on, and nothing of it is lost or done twice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { migrationSteps, type MigrationStep } from '../../src/engine/departure.ts';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { whySkip } from '../bed/testing.ts';
import { command, Counter, logged, PATIENCE_MS, untilUntouched } from './support.ts';

interface Damage {
  name: string;
  to: string;
  break: (cluster: Cluster) => Promise<void>;
  /** Makes the cluster whole again, for the next. */
  repair?: (cluster: Cluster, env: Record<string, string>) => Promise<void>;
  /** 'untouched': nothing of the engine is left in it. 'anywhere': the move may go on. 'survives': its engine is gone. */
  then: 'untouched' | 'anywhere' | 'survives';
}

const damages: readonly Damage[] = [
  {
    name: 'kill -9 of the hosting engine',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.host('n2'), 'engine'),
    then: 'untouched',
  },
  {
    name: 'cutting the link',
    to: 'n3',
    break: (cluster) => cluster.host('n3').cut(),
    repair: (cluster) => cluster.host('n3').heal(),
    then: 'untouched',
  },
  {
    name: 'kill -9 of the hosting mosd',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.host('n2'), 'mosd'),
    repair: async (cluster) => void cluster.startDaemon(cluster.host('n2')),
    then: 'anywhere',
  },
  {
    name: "kill -9 of the home's mosd",
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.home, 'mosd'),
    repair: async (cluster, env) => void cluster.startDaemon(cluster.home, env),
    then: 'anywhere',
  },
  {
    name: 'kill -9 of the home engine',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.home, 'engine'),
    then: 'survives',
  },
];

const skip = await whySkip();

describe('a program whose migration is broken goes on', { skip, concurrency: migrationSteps.length }, () => {
  for (const step of migrationSteps) {
    test(`at the step "${step}"`, { timeout: 10 * PATIENCE_MS }, async (t) => {
      const env = { MOSIX_HOLD_AT: step };
      await using cluster = await startCluster({ homeEnv: env, timeoutMs: 2 * PATIENCE_MS });
      for (const damage of damages) {
        await t.test(`after ${damage.name}`, { timeout: 4 * PATIENCE_MS }, async () => {
          try {
            await survive(cluster, step, damage);
          } catch (error) {
            const logs = cluster.hosts.map((host) => cluster.logs(host)).join('\n');
            throw new Error(`${String(error)}\n${logs}`, { cause: error });
          } finally {
            await damage.repair?.(cluster, env);
          }
          await cluster.ready(PATIENCE_MS);
        });
      }
    });
  }
});

async function survive(cluster: Cluster, step: MigrationStep, damage: Damage): Promise<void> {
  const { home } = cluster;
  const counter = await Counter.start(cluster);
  const move = home.spawn([command('mosmigrate'), String(counter.pid), damage.to]);
  await logged(home, 'engine', new RegExp(`process\\.held pid=${counter.pid} step=${step}\\b`));
  await damage.break(cluster);
  await counter.goesOn();
  await saysSo(move, { step, damage });
  if (damage.then === 'untouched') await untilUntouched(counter.process.outsidePid);
  if (damage.then === 'survives') assert.ok(!(await isAway(cluster, counter)));
  await counter.goesOn();
  await counter.finish();
}

/** A move that failed ends with clear words. Once the hosting node is ready, home may have said "moved" already. */
async function saysSo(move: HostProcess, { step, damage }: { step: MigrationStep; damage: Damage }): Promise<void> {
  const { code } = await move.wait(PATIENCE_MS);
  if (code === 0 && (damage.then === 'anywhere' || step === 'ready')) return;
  assert.match(String(code), /^(1|69)$/);
  assert.match(move.readStderr(), /^mosmigrate: Cannot [^\n]+\n$/);
}

async function isAway(cluster: Cluster, counter: Counter): Promise<boolean> {
  await cluster.ready(PATIENCE_MS);
  return (await cluster.mosps()).away.some(({ pid }) => pid === counter.pid);
}
