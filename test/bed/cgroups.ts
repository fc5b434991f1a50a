/**
 * The cgroups of a bed: one directory per host for accounting, freezing and killing, and limits where asked for.
 *
 * Accounting, freezer and kill come from cgroup2, whose core files exist even when every controller is bound to
 * a version-1 hierarchy (as on hybrid systems). Limits come from wherever the controller is.
 * Follows Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 */
import { type Dirent, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { BedError, reasonOf } from './errors.ts';
import { until } from './wait.ts';

export type Controller = 'cpu' | 'cpuset' | 'memory';

export interface Limits {
  /** quota, in CPUs: 0.5 is half a CPU */
  cpus?: number;
  /** the CPUs it may use, as in `0-1,3` */
  cpuset?: string;
  memoryBytes?: number;
}

interface Hierarchy {
  version: 1 | 2;
  /** where a bed's directory may be made */
  base: string;
  controllers: ReadonlySet<string>;
  readOnly: boolean;
}

/** The bandwidth period: 10 ms instead of the usual 100 makes a small host slow rather than jerky. */
const PERIOD_US = 10_000;
/** The init of a host lives in a leaf, as under systemd, so that guests may get sibling cgroups. */
export const LEAF = 'init';

export function readHierarchies(): Hierarchy[] {
  const own = ownPaths();
  const found: Hierarchy[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount, filesystem] = line.split(' - ');
    if (filesystem === undefined) continue;
    const [type, , superOptions] = filesystem.split(' ');
    const [, , , root, mountPoint, options] = mount.split(' ');
    const readOnly = options.split(',').includes('ro');
    if (type === 'cgroup2') {
      found.push({ version: 2, base: mountPoint, controllers: wordsOf(`${mountPoint}/cgroup.controllers`), readOnly });
    } else if (type === 'cgroup') {
      const controllers = new Set(superOptions.split(','));
      const path = [...controllers].map((name) => own.get(name)).find((value) => value !== undefined) ?? '/';
      found.push({ version: 1, base: join(mountPoint, below(path, root)), controllers, readOnly });
    }
  }
  return found;
}

/** Our own cgroup in each version-1 hierarchy; beds go below it, so that limits on us hold for them as well. */
function ownPaths(): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
    const [, controllers, ...path] = line.split(':');
    for (const controller of controllers.split(',')) paths.set(controller, path.join(':'));
  }
  return paths;
}

function below(path: string, root: string): string {
  return root !== '/' && path.startsWith(root) ? path.slice(root.length) : path;
}

function join(directory: string, path: string): string {
  return `${directory}/${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}

function wordsOf(file: string): Set<string> {
  try {
    return new Set(
      readFileSync(file, 'utf8')
        .split(/\s+/)
        .filter((word) => word !== ''),
    );
  } catch {
    return new Set();
  }
}

/** The directory and all below it; a guest's may go while we look. */
function directoriesUnder(directory: string): string[] {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${directory}/${name}`);
  return [directory, ...directories.flatMap(directoriesUnder)];
}

export class BedCgroups {
  /** every directory that may come to exist, the cgroup2 one first; known before any is made, for the janitor */
  readonly directories: readonly string[];
  readonly #unified: Hierarchy;
  readonly #limiting: ReadonlyMap<Controller, Hierarchy>;
  readonly #name: string;

  constructor(name: string, wanted: readonly Limits[]) {
    const hierarchies = readHierarchies();
    const unified = hierarchies.find((hierarchy) => hierarchy.version === 2 && !hierarchy.readOnly);
    if (unified === undefined) throw new BedError('make cgroups', 'no writable cgroup2 file system is mounted');
    this.#name = name;
    this.#unified = unified;
    this.#limiting = chooseLimiting(hierarchies, wanted);
    const versionOne = [...new Set(this.#limiting.values())].filter((hierarchy) => hierarchy.version === 1);
    this.directories = [unified, ...versionOne].map((hierarchy) => this.#directory(hierarchy));
  }

  #directory(hierarchy: Hierarchy): string {
    return join(hierarchy.base, this.#name);
  }

  create(): void {
    for (const directory of this.directories) mkdirSync(directory);
    const cpuset = this.#limiting.get('cpuset');
    if (cpuset?.version === 1) inheritCpuset(cpuset.base, this.#directory(cpuset));
    const delegated = [...this.#limiting].filter(([, hierarchy]) => hierarchy.version === 2).map(([name]) => name);
    for (const controller of delegated) {
      for (const directory of [this.#unified.base, this.#directory(this.#unified)]) {
        writeSetting(`${directory}/cgroup.subtree_control`, `+${controller}`);
      }
    }
    mkdirSync(`${this.directories[0]}/switch`);
  }

  /** where the supervisor and the helpers outside of any host belong */
  get switchProcs(): string {
    return `${this.directories[0]}/switch/cgroup.procs`;
  }

  addHost(name: string, limits: Limits): HostCgroup {
    const unified = `${this.#directory(this.#unified)}/${name}`;
    mkdirSync(unified);
    const limited: string[] = [];
    const place = (controller: Controller): { directory: string; version: 1 | 2 } => {
      const hierarchy = this.#limiting.get(controller);
      if (hierarchy === undefined) throw new BedError(`limit ${controller} of ${name}`, 'no such controller');
      const directory = `${this.#directory(hierarchy)}/${name}`;
      if (hierarchy.version === 1 && !limited.includes(directory)) {
        mkdirSync(directory, { recursive: true });
        limited.push(directory);
      }
      return { directory, version: hierarchy.version };
    };
    if (limits.cpus !== undefined) limitCpus(place('cpu'), limits.cpus);
    if (limits.cpuset !== undefined) limitCpuset(place('cpuset'), limits.cpuset);
    if (limits.memoryBytes !== undefined) limitMemory(place('memory'), limits.memoryBytes);
    return new HostCgroup(name, unified, limited);
  }
}

function chooseLimiting(hierarchies: readonly Hierarchy[], wanted: readonly Limits[]): Map<Controller, Hierarchy> {
  const chosen = new Map<Controller, Hierarchy>();
  const need = (controller: Controller, asked: boolean): void => {
    if (!asked) return;
    const hierarchy = hierarchies.find((one) => one.controllers.has(controller) && !one.readOnly);
    if (hierarchy === undefined)
      throw new BedError(`limit ${controller}`, 'no mounted cgroup hierarchy has that controller');
    chosen.set(controller, hierarchy);
  };
  need(
    'cpu',
    wanted.some((limits) => limits.cpus !== undefined),
  );
  need(
    'cpuset',
    wanted.some((limits) => limits.cpuset !== undefined),
  );
  need(
    'memory',
    wanted.some((limits) => limits.memoryBytes !== undefined),
  );
  return chosen;
}

/** Which limits this machine can set. */
export function limitControllers(): Controller[] {
  const hierarchies = readHierarchies().filter((hierarchy) => !hierarchy.readOnly);
  const all: Controller[] = ['cpu', 'cpuset', 'memory'];
  return all.filter((controller) => hierarchies.some((hierarchy) => hierarchy.controllers.has(controller)));
}

/** A new version-1 cpuset is empty and takes no process before it has CPUs and memory nodes. */
function inheritCpuset(parent: string, directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    writeSetting(`${directory}/${file}`, readFileSync(`${parent}/${file}`, 'utf8').trim());
  }
}

interface Place {
  directory: string;
  version: 1 | 2;
}

/** What else runs on this machine is not to make a host smaller than its quota: it has the largest weight there is. */
function limitCpus(place: Place, cpus: number): void {
  const quota = Math.max(1000, Math.round(cpus * PERIOD_US)); // the kernel takes no quota below 1 ms
  const period = Math.round(quota / cpus);
  if (place.version === 2) {
    writeSetting(`${place.directory}/cpu.max`, `${quota} ${period}`);
    writeSetting(`${place.directory}/cpu.weight`, '10000');
  } else {
    writeSetting(`${place.directory}/cpu.cfs_period_us`, String(period));
    writeSetting(`${place.directory}/cpu.cfs_quota_us`, String(quota));
    writeSetting(`${place.directory}/cpu.shares`, '262144');
  }
}

function limitCpuset(place: Place, cpus: string): void {
  if (place.version === 1) inheritCpuset(`${place.directory}/..`, place.directory);
  writeSetting(`${place.directory}/cpuset.cpus`, cpus);
}

function limitMemory(place: Place, bytes: number): void {
  const [memory, swap] =
    place.version === 2 ? ['memory.max', 'memory.swap.max'] : ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
  writeSetting(`${place.directory}/${memory}`, String(bytes));
  try {
    writeFileSync(`${place.directory}/${swap}`, place.version === 2 ? '0' : String(bytes));
  } catch {
    // no swap accounting: the limit still holds on machines without swap
  }
}

function writeSetting(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    throw new BedError(`write ${value} to ${file}`, reasonOf(error), { cause: error });
  }
}

/** A process that has ended since it was listed is in nobody's way. */
function moveIfThere(pid: string, procs: string): void {
  try {
    writeSetting(procs, pid);
  } catch (error) {
    const code = error instanceof BedError ? (error.cause as NodeJS.ErrnoException).code : undefined; // cast: by writeFileSync
    if (code !== 'ESRCH') throw error;
  }
}

export class HostCgroup {
  readonly name: string;
  readonly directory: string;
  readonly #limited: readonly string[];

  constructor(name: string, directory: string, limited: readonly string[]) {
    this.name = name;
    this.directory = directory;
    this.#limited = limited;
  }

  /** for the init: its cgroup namespace must begin at the host's directory, not at the leaf */
  get bootProcs(): string[] {
    return [this.directory, ...this.#limited].map((directory) => `${directory}/cgroup.procs`);
  }

  /** for everything that runs in the host afterwards */
  get procs(): string[] {
    return [`${this.directory}/${LEAF}`, ...this.#limited].map((directory) => `${directory}/cgroup.procs`);
  }

  /**
   * After the boot: the init into its leaf; the nsenter and unshare that wait for it outside belong to the
   * supervisor. With nobody left in the host's own directory its controllers can be handed on to the guests.
   */
  settle(init: number, switchProcs: string): void {
    mkdirSync(`${this.directory}/${LEAF}`, { recursive: true });
    writeSetting(`${this.directory}/${LEAF}/cgroup.procs`, String(init));
    for (const pid of wordsOf(`${this.directory}/cgroup.procs`)) moveIfThere(pid, switchProcs);
    for (const controller of wordsOf(`${this.directory}/cgroup.controllers`)) {
      try {
        writeFileSync(`${this.directory}/cgroup.subtree_control`, `+${controller}`);
      } catch {
        // only a convenience for guests
      }
    }
  }

  /** CPU time used by everything that ever ran in this host, in seconds. */
  cpuSeconds(): number {
    const usage = /^usage_usec (\d+)$/m.exec(readFileSync(`${this.directory}/cpu.stat`, 'utf8'));
    if (usage === null) throw new BedError(`read the CPU time of ${this.name}`, 'cpu.stat has no usage_usec');
    return Number(usage[1]) / 1e6;
  }

  /** Everything that runs in the host, guests' cgroups included, as this machine sees it. */
  members(): number[] {
    return directoriesUnder(this.directory).flatMap((path) => [...wordsOf(`${path}/cgroup.procs`)].map(Number));
  }

  setFrozen(frozen: boolean): void {
    writeSetting(`${this.directory}/cgroup.freeze`, frozen ? '1' : '0');
  }

  async freeze(): Promise<void> {
    this.setFrozen(true);
    const isFrozen = (): boolean => /^frozen 1$/m.test(readFileSync(`${this.directory}/cgroup.events`, 'utf8'));
    await until(isFrozen, { what: `freeze ${this.name}`, timeoutMs: 10_000 });
  }
}
