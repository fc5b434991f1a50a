/** A node that is killed, and a partition: balancing goes on with who is left, and with all again when the network heals. */
import { setTimeout as sleep } from 'node:timers/promises';
import { balancedCluster, compute, distribution, finished, movesOf, stepsFor, watch, type Verdict } from './setting.ts';

const JOBS = 9;
const SPREAD_MS = 60_000;
const PARTITION_MS = 12_000;
const TIMEOUT_MS = 400_000;

/** @param cpus Of each host. */
export async function faults({ cpus, cpuSeconds }: { cpus: number; cpuSeconds: number }): Promise<Verdict> {
  await using cluster = await balancedCluster(['home', 'n2', 'n3'].map((name) => ({ name, cpus })));
  const steps = await stepsFor(cluster.home, cpuSeconds);
  const [expected] = await finished([compute(cluster, steps, { flags: ['-h'] })], TIMEOUT_MS);
  const jobs = Array.from({ length: JOBS }, () => compute(cluster, steps));
  const spread = (now: readonly number[]): boolean => now.every((count) => count >= 2);
  await watch(cluster, { forMs: SPREAD_MS, done: spread });
  const before = await distribution(cluster);
  const n2 = cluster.host('n2');
  const n3 = cluster.host('n3');
  // One that is cut off for a while is not lost: what is there has not asked for anything, and goes on.
  await n3.cut();
  await sleep(PARTITION_MS);
  await n3.heal();
  const movesBefore = (await movesOf(cluster)).size;
  await n2.kill();
  const outputs = await finished(jobs, TIMEOUT_MS);
  const good = outputs.filter((output) => output === expected).length;
  const bad = jobs.filter(({ failed }, index) => failed === undefined && outputs[index] !== expected).length;
  // What had spoken with its home from the killed node ends with it; it is never wrong, and never there twice.
  const lost = JOBS - good;
  const after = await movesOf(cluster);
  const why = [bad > 0 ? `${bad} outputs are wrong` : '', spread(before) ? '' : `it was ${before.join(':')}`].filter(
    (reason) => reason !== '',
  );
  return {
    ok: why.length === 0 && lost <= before[1] + before[2],
    figures: { before, good, lost, movedBefore: movesBefore, movedAfter: after.size },
    why: why.join('; '),
  };
}
