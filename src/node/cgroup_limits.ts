/**
 * What the cgroups around mosd allow the whole node: a container or a limited session is a smaller machine. Looked for on the
 * way from mosd's own cgroup up to where the hierarchy is mounted, in version 2 and in version 1, whichever has the controller
 * (cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { cpusInMax, cpusInQuota } from '../load/cpu_limits.ts';
import type { MemoryUse } from '../load/memory_trend.ts';

type Controller = 'cpu' | 'memory';

interface Place {
  readonly version: 1 | 2;
  /** From mosd's own one upwards. */
  readonly directories: readonly string[];
}

/** Found once: nobody moves mosd to another cgroup. */
const places = new Map<Controller, readonly Place[]>();

/** CPUs that quotas leave; Infinity: no quota. */
export function quotaCpus(): number {
  const quotas = placesOf('cpu').flatMap(({ version, directories }) =>
    directories.map((directory) => {
      if (version === 2) return cpusInMax(read(join(directory, 'cpu.max')) || 'max');
      const quota = read(join(directory, 'cpu.cfs_quota_us')) || '-1';
      return cpusInQuota(quota, read(join(directory, 'cpu.cfs_period_us')) || '100000');
    }),
  );
  return Math.min(Infinity, ...quotas);
}

/** The tightest memory limit; undefined: none. */
export function limitedMemory(): MemoryUse | undefined {
  const uses = placesOf('memory').flatMap(({ version, directories }) =>
    directories.flatMap((directory) => (version === 2 ? memory2(directory) : memory1(directory)) ?? []),
  );
  return uses.toSorted((a, b) => a.free - b.free)[0];
}

/** Where the pressure of this node's programs can be read: in a cgroup namespace of its own, else of the whole machine. */
export function pressureText(resource: 'cpu' | 'memory' | 'io'): string {
  const [own] = hierarchies().filter(({ version }) => version === 2);
  const inside = own !== undefined && own.root !== '/' ? read(join(own.mount, `${resource}.pressure`)) : '';
  return inside || read(`/proc/pressure/${resource}`);
}

/** mosd's own cgroup in a hierarchy of version 1 with this controller; undefined without one. */
export function versionOneDirectory(controller: Controller): string | undefined {
  return placesOf(controller).find(({ version }) => version === 1)?.directories[0];
}

function memory2(directory: string): MemoryUse | undefined {
  const total = Number(read(join(directory, 'memory.max')) || 'NaN');
  if (!Number.isFinite(total)) return undefined;
  const fields = fieldsOf(read(join(directory, 'memory.stat')));
  const used = Number(read(join(directory, 'memory.current')));
  return { total, free: total - used + reclaimable(fields, '') };
}

function memory1(directory: string): MemoryUse | undefined {
  const total = Number(read(join(directory, 'memory.limit_in_bytes')) || 'NaN');
  // "No limit" is the largest number of pages, some exabytes.
  if (!(total < 2 ** 60)) return undefined;
  const fields = fieldsOf(read(join(directory, 'memory.stat')));
  const used = Number(read(join(directory, 'memory.usage_in_bytes')));
  return { total, free: total - used + reclaimable(fields, 'total_') };
}

/** Clean pages of files: the kernel takes them back before it lets anything fail. */
function reclaimable(fields: ReadonlyMap<string, number>, prefix: string): number {
  const of = (name: string): number => fields.get(prefix + name) ?? 0;
  return Math.max(0, of('inactive_file') + of('active_file') - of('dirty') - of('writeback'));
}

function fieldsOf(text: string): Map<string, number> {
  return new Map(text.split('\n').map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));
}

function placesOf(controller: Controller): readonly Place[] {
  const known = places.get(controller);
  if (known !== undefined) return known;
  const found = hierarchies()
    .filter(({ version, controllers }) => version === 2 || controllers.includes(controller))
    .map(({ version, root, mount, own }) => ({ version, directories: upwards(mount, below(own, root)) }));
  places.set(controller, found);
  return found;
}

interface Hierarchy {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** Which part of the hierarchy is mounted, and where. */
  readonly root: string;
  readonly mount: string;
  /** Where mosd is in it. */
  readonly own: string;
}

function hierarchies(): Hierarchy[] {
  const own = read('/proc/self/cgroup')
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  return read('/proc/self/mountinfo')
    .split('\n')
    .flatMap((line): Hierarchy[] => {
      const [mounted, filesystem] = line.split(' - ');
      const [, , , root, mount] = mounted.split(' ');
      const [type, , options = ''] = (filesystem ?? '').split(' ');
      if (type !== 'cgroup' && type !== 'cgroup2') return [];
      const version = type === 'cgroup' ? 1 : 2;
      const controllers = version === 2 ? [] : options.split(',');
      const entry = own.find(([, names]) =>
        version === 2 ? names === '' : names.split(',').some((name) => name !== '' && controllers.includes(name)),
      );
      return [{ version, controllers, root, mount, own: entry?.slice(2).join(':') ?? '/' }];
    });
}

/** A path in a hierarchy as it is below its mount point. What is outside of that is not to be seen. */
function below(own: string, root: string): string {
  if (own.startsWith('/..')) return '/';
  return root !== '/' && own.startsWith(root) ? own.slice(root.length) : own;
}

function upwards(mount: string, path: string): string[] {
  const all = [join(mount, path)];
  while (all[all.length - 1].length > mount.length) all.push(dirname(all[all.length - 1]));
  return all;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1').trim();
  } catch {
    return ''; // not on this kernel, or not in this cgroup
  }
}
