/** Twelve jobs started on one of four hosts end almost as soon as four hosts can end them. */
import { compute, balancedCluster, finished, median, stepsFor, type Verdict } from './setting.ts';

const JOBS = 12;
/** Times the even share of four hosts. */
const LIMIT = 1.15;
const TIMEOUT_MS = 400_000;

/** @param cpus Of each host. */
export async function spread({
  cpus,
  cpuSeconds,
  runs,
}: {
  cpus: number;
  cpuSeconds: number;
  runs: number;
}): Promise<Verdict> {
  const hosts = ['home', 'n2', 'n3', 'n4'].map((name) => ({ name, cpus }));
  await using cluster = await balancedCluster(hosts);
  const steps = await stepsFor(cluster.home, cpuSeconds);
  const alone = compute(cluster, steps, { flags: ['-h'] });
  const expected = await finished([alone], TIMEOUT_MS);
  const one = ((alone.ended ?? 0) - alone.begun) / 1000;
  const ratios: number[] = [];
  const wrong: string[] = [];
  for (let run = 0; run < runs; run += 1) {
    const jobs = Array.from({ length: JOBS }, () => compute(cluster, steps));
    const begun = performance.now();
    for (const [index, output] of (await finished(jobs, TIMEOUT_MS)).entries())
      if (output !== expected[0]) wrong.push(`job ${index} of run ${run}: "${output}" ${jobs[index].failed ?? ''}`);
    ratios.push((performance.now() - begun) / 1000 / ((JOBS * one) / hosts.length));
  }
  const middle = median(ratios);
  return {
    ok: middle <= LIMIT && wrong.length === 0,
    figures: { alone: one, median: middle, ratios, limit: LIMIT },
    why: wrong.join('; '),
  };
}
