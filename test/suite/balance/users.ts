/** Two users with weights 2:1 get CPU 2:1 within a minute, however many processes each has started. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MosdList } from '../../../src/wire/command_protocol.ts';
import type { Cluster } from '../../bed/cluster.ts';
import { balancedCluster, compute, distribution, endAll, type Job, type Verdict } from './setting.ts';

const USERS = [
  { uid: 1701, weight: 2, jobs: 6 },
  { uid: 1702, weight: 1, jobs: 14 },
];
const SETTLE_MS = 45_000;
const MEASURE_MS = 15_000;
const ENDLESS = 1_000_000_000_000;

/** @param cpus Of each host. */
export async function users({ cpus }: { cpus: number }): Promise<Verdict> {
  const config = `[user_weights]\n${USERS.map(({ uid, weight }) => `${uid} = ${weight}\n`).join('')}`;
  await using cluster = await balancedCluster(
    ['home', 'n2', 'n3'].map((name) => ({ name, cpus })),
    config,
  );
  const jobs = USERS.map(({ uid, jobs: count }) =>
    Array.from({ length: count }, () => compute(cluster, ENDLESS, { uid })),
  );
  await sleep(SETTLE_MS);
  const measure = (): Promise<number[]> => Promise.all(USERS.map(({ uid }) => cpuSeconds(cluster, uid)));
  const before = await measure();
  await sleep(MEASURE_MS);
  const [first, second] = (await measure()).map((now, index) => now - before[index]);
  const last = await distribution(cluster);
  endAll(jobs.flat().filter((job: Job) => job.process.running));
  const ratio = first / second;
  const wanted = USERS[0].weight / USERS[1].weight;
  return {
    ok: Math.abs(ratio / wanted - 1) <= 0.1,
    figures: { ratio, wanted, first, second, last },
    why: '',
  };
}

/** Of all processes of a user, wherever it was used, as mosps shows it. */
async function cpuSeconds(cluster: Cluster, uid: number): Promise<number> {
  const { away, home, returned } = (await cluster.request(cluster.home, 'list')) as MosdList;
  const own = [...away, ...home, ...returned].filter((row) => row.uid === uid);
  return own.reduce((sum, { cpuMs = 0 }) => sum + cpuMs, 0) / 1000;
}
