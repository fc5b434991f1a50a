/**
 * npm run suite -- hostile [--only ATTACK[,ATTACK…]] [--seconds N] [--json]
 *
 * Guests that mean harm (test/hostile/hostile.c), each away on a node where a well-behaved program is a guest, too. An
 * attack fails when it reached nothing, both engines are the processes that they were, the neighbour counts on, what is
 * left of the attacker can be ended from home, and nothing of it stays on the node.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { until } from '../bed/wait.ts';
import { Counter, moved } from '../system/support.ts';
import { projectRoot } from './lab.ts';
import { UsageError } from './plan.ts';

const attacks = ['calls', 'scribble', 'unmap', 'map-over', 'old-calls', 'flood', 'race'] as const;
/** An ordinary user, whose rights at home are all that an attacker may use. */
const attacker = 1700;
const binary = '/srv/hostile';
const secret = '/srv/of-this-host-only';
/** Milliseconds for what takes some hundred on an idle machine. */
const patienceMs = 60_000;

interface Verdict {
  readonly ok: boolean;
  readonly why: string;
  /** How the attacker ended, and what it said last. */
  readonly end: string;
}

/** @returns the exit code */
export async function runHostile(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  });
  const chosen = values.only?.split(',') ?? attacks;
  const unknown = chosen.find((name) => !attacks.some((one) => one === name));
  if (unknown !== undefined) throw new UsageError(`no attack ${unknown}; there are ${attacks.join(', ')}`);
  await using cluster = await startCluster({ hosts: ['home', 'n2'] });
  await furnish(cluster);
  let failed = 0;
  for (const name of chosen) {
    const verdict = await attack(cluster, name, values.seconds).catch((error: unknown): Verdict => ({
      ok: false,
      why: String(error),
      end: '',
    }));
    if (!verdict.ok) failed += 1;
    const line = `${verdict.ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(10)} ${verdict.end}${verdict.ok ? '' : `\n      ${verdict.why}`}`;
    console.log(values.json ? JSON.stringify({ suite: 'hostile', case: name, ...verdict }) : line);
  }
  const sums = { suite: 'hostile', passed: chosen.length - failed, failed };
  console.log(values.json ? JSON.stringify(sums) : `hostile: ${sums.passed} passed, ${sums.failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function furnish(cluster: Cluster): Promise<void> {
  const source = join(projectRoot, 'test', 'hostile', 'hostile.c');
  const to = cluster.home.outsidePath(binary);
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-std=gnu11', '-pthread'];
  const gcc = spawnSync('gcc', [...flags, source, '-o', to], { encoding: 'utf8' });
  if (gcc.status !== 0) throw new Error(`Cannot build ${source}: ${gcc.stderr}`);
  await cluster.host('n2').writeFile(secret, "the hosting node's own\n", 0o644);
}

async function attack(cluster: Cluster, name: string, seconds: string): Promise<Verdict> {
  const n2 = cluster.host('n2');
  const engines = (): number[] => cluster.hosts.map((host) => cluster.daemonPid(host, 'engine'));
  const before = engines();
  const neighbour = await Counter.start(cluster);
  await moved(cluster, neighbour.process.pid, 'n2');
  const guest = cluster.mosrun([binary, name, seconds], { uid: attacker, cwd: '/' });
  await until(() => guest.readStdout().includes('ready'), { what: 'see the attacker run', timeoutMs: patienceMs });
  await moved(cluster, guest.pid, 'n2');
  const end = await endOf(guest, Number(seconds) * 1000 + 30_000);
  const said = guest.readStdout();
  await neighbour.goesOn();
  await neighbour.finish();
  if (engines().join() !== before.join()) return { ok: false, why: 'an engine ended', end };
  if (said.includes('REACHED')) return { ok: false, why: said, end };
  if (!said.includes('stub found')) return { ok: false, why: `it was never away: ${said}`, end };
  const nothingLeft = async (): Promise<boolean> => {
    const { guests } = await cluster.mosps(n2);
    const { stdout } = await n2.run(['sh', '-c', 'cat /proc/[0-9]*/comm']);
    return guests.length === 0 && !stdout.toString().includes('hostile');
  };
  await until(nothingLeft, { what: 'see nothing of it on n2', timeoutMs: patienceMs });
  return { ok: true, why: '', end };
}

/** What does not end by itself is ended from home, as its user would: that must work. */
async function endOf(guest: HostProcess, milliseconds: number): Promise<string> {
  try {
    const { code, signal } = await guest.wait(milliseconds);
    return signal ?? `exit ${code}`;
  } catch {
    guest.killGroup('SIGKILL');
    await guest.wait(patienceMs);
    return 'killed from home';
  }
}
