/**
 * Who used CPU time, as the kernel counts it: the rule "really away".
 *
 * The CPU time of a case on a host is what the host's own cgroup gained, less what the node's two daemons used there
 * (from /proc/PID/stat: nothing is asked of the engine). The daemons are taken out on every host alike: on a hosting
 * node their work must not count as the program being away, at home it must not count as the program being at home.
 * Calls that the deputy makes at home are the program's own work and do count as home. With the daemons taken out, an
 * idle host gains nothing, so that no baseline needs to be subtracted.
 */
import { readFileSync } from 'node:fs';
import type { Host } from '../bed/host.ts';

/** Linux counts in USER_HZ, 100 on every architecture we run on. */
const ticksPerSecond = 100;

export interface CpuSnapshot {
  readonly home: number;
  readonly away: number;
  /** Engines and mosds of all hosts. */
  readonly daemons: number;
}

export function takeCpuSnapshot(hosts: readonly Host[], homeName: string): CpuSnapshot {
  let home = 0;
  let away = 0;
  let daemons = 0;
  for (const host of hosts) {
    const overhead = daemonSeconds(host);
    const used = host.cpuSeconds() - overhead;
    daemons += overhead;
    if (host.name === homeName) home += used;
    else away += used;
  }
  return { home, away, daemons };
}

export function cpuBetween(from: CpuSnapshot, to: CpuSnapshot): CpuSnapshot {
  return {
    home: Math.max(0, to.home - from.home),
    away: Math.max(0, to.away - from.away),
    daemons: Math.max(0, to.daemons - from.daemons),
  };
}

/** CPU time that the engine and mosd of `host` have used so far, in seconds; none if they do not run. */
function daemonSeconds(host: Host): number {
  const root = `/proc/${host.pid1}/root`;
  let ticks = 0;
  for (const daemon of ['engine', 'mosd']) {
    const pid = readText(`${root}/run/mosix/${daemon}.pid`).trim();
    if (pid !== '') ticks += ticksOf(readText(`${root}/proc/${pid}/stat`));
  }
  return ticks / ticksPerSecond;
}

/** utime + stime of a line of /proc/PID/stat (proc(5), fields 14 and 15); the name before may hold spaces and brackets. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.length < 13 ? 0 : Number(fields[11]) + Number(fields[12]);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the daemon does not run
  }
}
