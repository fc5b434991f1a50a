/** Whatever breaks at whatever step of a migration, the program goes on, and nothing of it is lost or done twice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { migrationSteps, type MigrationStep } from '../../src/engine/image/departure_types.ts';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import { isDeepStrictEqual } from 'node:util';
import type { HostProcess } from '../bed/host_process.ts';
import { until } from '../bed/wait.ts';
import { whySkip } from '../bed/testing.ts';
import { command, Counter, hasStub, engineLogged, PATIENCE_MS, stateOf, untilUntouched } from './support.ts';

interface Damage {
  name: string;
  to: string;
  break: (cluster: Cluster) => Promise<void>;
  /** Makes the cluster whole again, for the next. */
  repair?: (cluster: Cluster, step: MigrationStep) => Promise<void>;
  /** What becomes of the move: it fails, it is completed all the same, or nobody is left to say (the program still goes on). */
  move: 'fails' | 'completes' | 'ends';
}

const damages: readonly Damage[] = [
  {
    name: 'kill -9 of the hosting engine',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.host('n2'), 'engine'),
    move: 'fails',
  },
  {
    name: 'cutting the link',
    to: 'n3',
    break: (cluster) => cluster.host('n3').cut(),
    repair: (cluster) => cluster.host('n3').heal(),
    move: 'fails',
  },
  {
    name: 'kill -9 of the hosting mosd',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.host('n2'), 'mosd'),
    repair: async (cluster) => void cluster.startDaemon(cluster.host('n2')),
    move: 'completes',
  },
  {
    name: "kill -9 of the home's mosd",
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.home, 'mosd'),
    repair: async (cluster, step) => void cluster.startDaemon(cluster.home, holdingAt(step)),
    move: 'completes',
  },
  {
    name: 'kill -9 of the home engine',
    to: 'n2',
    break: (cluster) => cluster.killDaemon(cluster.home, 'engine'),
    move: 'ends',
  },
];

/** Milliseconds: five seconds until a silent node is given up, and as many for a loaded machine. */
const longestStandstill = 10_000;
const stepsWithStub: readonly MigrationStep[] = ['captured', 'image-sent', 'ready'];
const skip = await whySkip();

describe('a program whose migration is broken goes on', { skip, concurrency: migrationSteps.length }, () => {
  for (const step of migrationSteps) {
    test(`at the step "${step}"`, { timeout: 10 * PATIENCE_MS }, async (t) => {
      await using cluster = await startCluster({ homeEnv: holdingAt(step), timeoutMs: 2 * PATIENCE_MS });
      for (const damage of damages) {
        await t.test(`after ${damage.name}`, { timeout: 4 * PATIENCE_MS }, async () => {
          await survive(cluster, step, damage).catch((error: unknown) => {
            const logs = cluster.hosts.map((host) => cluster.logs(host)).join('\n');
            throw new Error(`${String(error)}\n${logs}`, { cause: error });
          });
        });
      }
    });
  }
});

function holdingAt(step: MigrationStep): Record<string, string> {
  return { MOSIX_HOLD_AT: step };
}

async function survive(cluster: Cluster, step: MigrationStep, damage: Damage): Promise<void> {
  const { home } = cluster;
  const counter = await Counter.start(cluster);
  const { pid, process: program } = counter;
  const before = stateOf(program.outsidePid);
  const move = home.spawn([command('mosmigrate'), String(pid), damage.to]);
  await engineLogged(cluster, new RegExp(`process\\.held pid=${pid} step=${step}\\b`));
  if (stepsWithStub.includes(step)) assert.ok(hasStub(program.outsidePid), 'there is nothing to clean up');
  const broken = performance.now();
  await damage.break(cluster);
  try {
    if (damage.move === 'completes') await engineLogged(cluster, new RegExp(`process\\.left pid=${pid} `));
    await counter.goesOn();
    assert.ok(damage.move !== 'fails' || performance.now() - broken < longestStandstill, 'it stood still for too long');
    await endsClearly(move, damage);
  } finally {
    await damage.repair?.(cluster, step);
  }
  await cluster.ready(PATIENCE_MS);
  if (damage.move === 'completes') await comeHome(cluster, pid);
  await untilUntouched(program.outsidePid);
  const untouched = (): boolean => isDeepStrictEqual(stateOf(program.outsidePid), before);
  await until(untouched, { what: 'see the program as it was', timeoutMs: PATIENCE_MS, everyMs: 10 }).catch(() =>
    assert.deepEqual(stateOf(program.outsidePid), before),
  );
  await counter.goesOn();
  await counter.finish();
}

/** A move that failed ends with clear words; nobody says "moved" before the program runs there. */
async function endsClearly(move: HostProcess, damage: Damage): Promise<void> {
  const { code } = await move.wait(PATIENCE_MS);
  if (code === 0 && damage.move === 'completes') return;
  assert.match(String(code), /^(1|69)$/);
  assert.match(move.readStderr(), /^mosmigrate: Cannot [^\n]+\n$/);
}

async function comeHome(cluster: Cluster, pid: number): Promise<void> {
  const { code, stderr } = await cluster.mosmigrate(pid, 'home');
  assert.equal(code, 0, stderr.toString());
}
