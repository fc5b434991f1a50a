/** Hosts with a part of this machine each, balancing among themselves, and jobs that compute on them. Nobody moves anything by hand. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostOptions } from '../../bed/bed.ts';
import { type Cluster, startCluster } from '../../bed/cluster.ts';
import type { Host } from '../../bed/host.ts';
import type { HostProcess } from '../../bed/host_process.ts';
import { until } from '../../bed/wait.ts';

/** A line for people about what was measured. */
export interface Verdict {
  readonly ok: boolean;
  readonly figures: Readonly<Record<string, number | string | readonly number[]>>;
  readonly why: string;
}

export interface Job {
  readonly process: HostProcess;
  readonly begun: number;
  ended: number | undefined;
  failed: string | undefined;
}

const READY_MS = 60_000;
const COUNT_STEPS = 1_000_000;

/** Prints the last number of a generator after so many steps: the same everywhere. */
const COMPUTE =
  'my ($n) = @ARGV; my $h = 1; while ($n--) { $h = ($h * 1103515245 + 12345) & 0x7fffffff; } print "$h\\n";';

/** @param config More lines of their configuration. Starts the hosts one after the other, so that each calibrates alone. */
export async function balancedCluster(hosts: readonly HostOptions[], config = ''): Promise<Cluster> {
  const cluster = await startCluster({ hosts, balance: true, config, daemons: false });
  try {
    for (const host of cluster.hosts) {
      const daemon = cluster.startDaemon(host);
      const measured = (): boolean => /load\.speed/.test(daemon.readStderr());
      await until(measured, { what: `see ${host.name} know its speed`, timeoutMs: READY_MS });
    }
    await cluster.ready(READY_MS);
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** Steps of COMPUTE that take so many CPU-seconds on a host, by itself. */
export async function stepsFor(host: Host, cpuSeconds: number): Promise<number> {
  const before = host.cpuSeconds();
  const run = await host.run(['perl', '-e', COMPUTE, String(8 * COUNT_STEPS)], { timeoutMs: READY_MS });
  if (run.code !== 0) throw new Error(`Cannot calibrate: ${run.stderr.toString()}`);
  return Math.round((8 * COUNT_STEPS * cpuSeconds) / (host.cpuSeconds() - before));
}

/** Starts a job that computes, by mosrun, on the home node. */
export function compute(
  cluster: Cluster,
  steps: number,
  options: { uid?: number; flags?: readonly string[] } = {},
): Job {
  const process = cluster.mosrun(['perl', '-e', COMPUTE, String(steps)], { ...options, cwd: '/' });
  const job: Job = { process, begun: performance.now(), ended: undefined, failed: undefined };
  return job;
}

/** @returns what each printed */
export async function finished(jobs: readonly Job[], timeoutMs: number): Promise<string[]> {
  return Promise.all(
    jobs.map(async (job) => {
      const { code, signal } = await job.process.wait(timeoutMs);
      job.ended = performance.now();
      if (code !== 0) job.failed = `exit ${code ?? signal}: ${job.process.readStderr().slice(-200)}`;
      return job.process.readStdout().trim();
    }),
  );
}

/** How many of the home node's jobs run on each host, home first. What moves counts where it was. */
export async function distribution(cluster: Cluster): Promise<number[]> {
  const { away, home, returned } = (await cluster.request(cluster.home, 'list')) as {
    away: { pid: number; where: string; state: string }[];
    home: { pid: number }[];
    returned: { pid: number; job?: string }[];
  };
  const leaving = away.filter(({ state }) => state === 'leaving').length;
  const at = (host: Host): number =>
    away.filter(({ where, state }) => where === host.name && state !== 'leaving').length;
  return cluster.hosts.map((host) => (host === cluster.home ? home.length + returned.length + leaving : at(host)));
}

/** Looks at the distribution every `everyMs` until `done`, or the time is up. */
export async function watch(
  cluster: Cluster,
  { forMs, everyMs = 500, done = () => false }: { forMs: number; everyMs?: number; done?: (now: number[]) => boolean },
): Promise<number[][]> {
  const seen: number[][] = [];
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const now = await distribution(cluster).catch(() => undefined);
    if (now !== undefined) {
      seen.push(now);
      if (done(now)) break;
    }
    await sleep(everyMs);
  }
  return seen;
}

/** Moves of each process so far, from the home node's journal of decisions. */
export async function movesOf(cluster: Cluster): Promise<Map<number, number>> {
  const { events } = (await cluster.request(cluster.home, 'decisions')) as { events: { pid: number; kind: string }[] };
  const moves = new Map<number, number>();
  for (const { pid, kind } of events) if (kind === 'moved') moves.set(pid, (moves.get(pid) ?? 0) + 1);
  return moves;
}

export function endAll(jobs: readonly Job[]): void {
  for (const { process } of jobs) if (process.running) process.kill('SIGKILL');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
