/** Ten jobs on hosts with quotas 2:1:1:1 settle at 4:2:2:2, give or take one. */
import { balancedCluster, compute, endAll, watch, type Verdict } from './setting.ts';

const WANTED = [4, 2, 2, 2];
const SETTLE_MS = 60_000;
const STAYS_MS = 30_000;
/** More than any run needs. */
const ENDLESS = 1_000_000_000_000;

/** @param cpus Of the smaller hosts. */
export async function quotas({ cpus }: { cpus: number }): Promise<Verdict> {
  await using cluster = await balancedCluster([
    { name: 'home', cpus: 2 * cpus },
    ...['n2', 'n3', 'n4'].map((name) => ({ name, cpus })),
  ]);
  const jobs = Array.from({ length: 10 }, () => compute(cluster, ENDLESS));
  const near = (now: readonly number[]): boolean => now.every((count, index) => Math.abs(count - WANTED[index]) <= 1);
  const begun = performance.now();
  const first = await watch(cluster, { forMs: SETTLE_MS, done: near });
  const settledSeconds = (performance.now() - begun) / 1000;
  const seen = await watch(cluster, { forMs: STAYS_MS });
  endAll(jobs);
  const last = seen.at(-1) ?? first.at(-1) ?? [];
  const off = seen.filter((now) => !near(now)).length;
  return {
    ok: near(last) && off <= seen.length / 10,
    figures: { settledSeconds, last, looks: seen.length, off },
    why: near(last) ? '' : `it is ${last.join(':')}`,
  };
}
