/** How many CPUs a node really has: those it may run on, cut by the quotas of the cgroups around it. */

/** The number of CPUs in a list such as `0-2,7` (cpuset(7), "List format"). */
export function cpusInList(list: string): number {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .reduce((sum, part) => {
      const [first, last = first] = part.split('-').map(Number);
      return sum + (last - first + 1);
    }, 0);
}

/** A cgroup2 quota: `cpu.max` is "QUOTA PERIOD" in microseconds, or "max PERIOD". @returns CPUs; Infinity: no limit */
export function cpusInMax(text: string): number {
  const [quota, period] = text.trim().split(/\s+/);
  return quota === 'max' ? Infinity : positive(Number(quota) / Number(period));
}

/** A version-1 quota: microseconds in each period; -1 is none. @returns CPUs; Infinity: no limit */
export function cpusInQuota(quota: string, period: string): number {
  return Number(quota) < 0 ? Infinity : positive(Number(quota) / Number(period));
}

/** @param limits In CPUs: how many there are, and what each quota on the way up allows. */
export function effectiveCpus(...limits: readonly number[]): number {
  return positive(Math.min(...limits));
}

function positive(cpus: number): number {
  return Number.isFinite(cpus) ? Math.max(0.01, cpus) : cpus === Infinity ? Infinity : 1;
}
