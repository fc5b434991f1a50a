/** Where a process is in the cgroup2 hierarchy, as this process sees it (cgroups(7)); other hierarchies do not matter here. */
import fs from 'node:fs';
import path from 'node:path';

/** The directory of a process's cgroup; undefined without cgroup2, or when it is outside of what is mounted here. */
export function cgroupDirectory(pid: number | 'self'): string | undefined {
  try {
    const entry = fs
      .readFileSync(`/proc/${pid}/cgroup`, 'latin1')
      .split('\n')
      .find((line) => line.startsWith('0::'))
      ?.slice(3);
    const mount = cgroupRoot();
    if (mount === undefined || entry === undefined || entry.startsWith('/..')) return undefined;
    return path.join(mount, entry.replace(/ \(deleted\)$/, ''));
  } catch {
    return undefined; // it has ended
  }
}

let found: string | null | undefined;

/** Where cgroup2 is mounted. */
export function cgroupRoot(): string | undefined {
  found ??=
    fs
      .readFileSync('/proc/self/mountinfo', 'latin1')
      .split('\n')
      .find((line) => line.includes(' - cgroup2 '))
      ?.split(' ')[4] ?? null;
  return found ?? undefined;
}
