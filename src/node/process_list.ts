/** What `mosps` shows: what the engine knows of those that are or were away, and what this node knows of its jobs. */
import type { MosdList } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import type { EngineLink } from './engine_link.ts';
import type { Jobs } from './jobs.ts';
import { findProcess } from './local_process.ts';

/** @throws RefusedError without an engine */
export async function processList(node: string, engine: EngineLink, jobs: Jobs): Promise<MosdList> {
  const list = await engine.engine.list();
  const elsewhere = new Set([...list.away, ...list.returned].map(({ pid }) => pid));
  const home = jobs.rows(node).filter(({ pid }) => !elsewhere.has(pid));
  const isNative = (pid: number): boolean => jobs.of(pid)?.job.options.native === true;
  const inJob = (row: ProcessRow): ProcessRow => ({ ...row, job: jobs.of(row.pid)?.job.options.job });
  return {
    node,
    away: list.away.map((row) => inJob(withTimes(row))),
    guests: list.guests.map((row) => ({ ...row, cpuMs: findProcess(row.hostPid ?? 0)?.cpuMs })),
    returned: list.returned.filter(({ pid }) => !isNative(pid)).map((row) => inJob(asItIsNow(row))),
    home,
  };
}

/** At home the kernel counted what its half there did; the rest was counted elsewhere. */
function withTimes(row: ProcessRow): ProcessRow {
  const { cpuAwayMs = 0 } = row;
  return { ...row, cpuMs: (findProcess(row.pid)?.cpuMs ?? 0) + cpuAwayMs, cpuAwayMs };
}

/** The engine remembers why a process came home; what it is like since then the kernel knows. */
function asItIsNow(row: ProcessRow): ProcessRow {
  const { threads, memoryBytes, comm } = findProcess(row.pid) ?? row;
  return withTimes({ ...row, threads, memoryBytes, comm });
}
