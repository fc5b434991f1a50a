/**
 * Forty jobs started at once on one host: no other one ever gets more than its even share and one, and when they are spread
 * they stay: no process moves more than twice.
 */
import { balancedCluster, compute, endAll, movesOf, watch, type Verdict } from './setting.ts';

const JOBS = 40;
const SPREAD_MS = 120_000;
const STEADY_MS = 60_000;
const ENDLESS = 1_000_000_000_000;

/** @param cpus Of each host. */
export async function burst({ cpus }: { cpus: number }): Promise<Verdict> {
  await using cluster = await balancedCluster(['home', 'n2', 'n3', 'n4'].map((name) => ({ name, cpus })));
  const share = JOBS / cluster.hosts.length;
  const jobs = Array.from({ length: JOBS }, () => compute(cluster, ENDLESS));
  const begun = performance.now();
  const even = (now: readonly number[]): boolean =>
    now.reduce((sum, count) => sum + count, 0) === JOBS && now.every((count) => Math.abs(count - share) <= 1);
  const spreading = await watch(cluster, { forMs: SPREAD_MS, everyMs: 200, done: even });
  const spreadSeconds = (performance.now() - begun) / 1000;
  const steady = await watch(cluster, { forMs: STEADY_MS });
  const most = Math.max(...[...spreading, ...steady].flatMap(([, ...others]) => others));
  const moves = Math.max(0, ...(await movesOf(cluster)).values());
  endAll(jobs);
  const why = [
    most > share + 1 ? `a host had ${most}` : '',
    moves > 2 ? `a process moved ${moves} times` : '',
    even(spreading.at(-1) ?? []) ? '' : `after ${Math.round(spreadSeconds)} s it was ${spreading.at(-1)?.join(':')}`,
  ].filter((reason) => reason !== '');
  return {
    ok: why.length === 0,
    figures: { spreadSeconds, most, mostMoves: moves, last: steady.at(-1) ?? [] },
    why: why.join('; '),
  };
}
