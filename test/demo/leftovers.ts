/**
 * What a run left on this machine, found by the name of its test-bed (which holds this process's id) and by comparing
 * with before. Nothing is expected, and everything found is named.
 */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** How every cgroup, mount and file of our test-beds begins. */
const mark = `mosix-bed-${process.pid}-`;

export interface Footprint {
  readonly links: readonly string[];
  readonly mounts: readonly string[];
  readonly files: readonly string[];
  readonly cgroups: readonly string[];
  readonly processes: readonly string[];
}

export function takeFootprint(): Footprint {
  return {
    links: readdirSync('/sys/class/net'),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes('mosix')),
    files: ['/run', '/dev/shm', '/tmp', tmpdir()].flatMap(filesIn),
    cgroups: globSync(`/sys/fs/cgroup/{*,*/*,*/*/*}/${mark}*`).concat(globSync(`/sys/fs/cgroup/${mark}*`)),
    processes: readdirSync('/proc').filter(isOurs).map(describe),
  };
}

/** What is there now and was not before, one line each. */
export function findLeftovers(before: Footprint): string[] {
  const now = takeFootprint();
  const kinds = Object.keys(now) as (keyof Footprint)[];
  return kinds.flatMap((kind) =>
    now[kind].filter((one) => !before[kind].includes(one)).map((one) => `${kind}: ${one}`),
  );
}

function filesIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(mark))
    .map((name) => `${directory}/${name}`);
}

function isOurs(entry: string): boolean {
  return /^\d+$/.test(entry) && readOr(`/proc/${entry}/cgroup`).includes(mark);
}

function describe(pid: string): string {
  return `${pid} ${readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`;
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
