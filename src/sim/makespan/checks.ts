/** What must hold at every moment, whatever the policy: no job is lost or doubled, and none does more than its node can. */
import type { SimulatedCluster } from './cluster.ts';
import type { Scenario } from './scenarios.ts';

export class CheckError extends Error {
  constructor(what: string, at: number) {
    super(`Broken at ${Math.round(at)} ms: ${what}`);
    this.name = 'CheckError';
  }
}

/** @param waiting Jobs that have not arrived yet. @throws CheckError */
export function check(cluster: SimulatedCluster, { jobs, nodes }: Scenario, waiting: number): void {
  const ids = new Set(cluster.jobs.map(({ spec }) => spec.id));
  if (ids.size !== cluster.jobs.length) throw new CheckError('a job is there twice', cluster.now);
  if (cluster.jobs.length + waiting !== jobs.length) throw new CheckError('a job is lost', cluster.now);
  for (const { name } of nodes) {
    const used = cluster.usedMemory(name);
    if (used > cluster.node(name).memoryBytes)
      throw new CheckError(`${name} has promised more memory than it has`, cluster.now);
  }
  for (const { spec, done, endedAt, where } of cluster.jobs) {
    if (done > spec.work + 1e-3) throw new CheckError(`job ${spec.id} did more than its work`, cluster.now);
    if (endedAt !== undefined && Math.abs(done - spec.work) > 1e-3)
      throw new CheckError(`job ${spec.id} ended before its work`, cluster.now);
    if (endedAt === undefined) cluster.node(where);
  }
}
