/** Finds out whether this machine and user can have a test-bed, and says what is missing and how to give it. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { readHierarchies } from './cgroups.ts';
import { SYSTEM_PATH } from './launch.ts';

export type ProbeResult = { ok: true } | { ok: false; missing: string[]; help: string };

const TOOLS: readonly { command: string; aptPackage: string }[] = [
  { command: 'ip', aptPackage: 'iproute2' },
  { command: 'tc', aptPackage: 'iproute2' },
  { command: 'unshare', aptPackage: 'util-linux' },
  { command: 'nsenter', aptPackage: 'util-linux' },
  { command: 'pivot_root', aptPackage: 'util-linux' },
  { command: 'mount', aptPackage: 'mount' },
  { command: 'bash', aptPackage: 'bash' },
  { command: 'perl', aptPackage: 'perl-base' },
  { command: 'find', aptPackage: 'findutils' },
];

/** Each is tried in throw-away namespaces. */
const FEATURES: readonly { name: string; script: string; module?: string }[] = [
  { name: 'bridges', script: 'ip link add br0 type bridge', module: 'bridge' },
  { name: 'veth links', script: 'ip link add v0 type veth peer name v1', module: 'veth' },
  {
    name: 'link shaping (tbf)',
    script: 'ip link add v0 type veth peer name v1 && tc qdisc add dev v0 root tbf rate 1gbit burst 256kb limit 1mb',
    module: 'sch_tbf',
  },
  {
    name: 'overlay file systems',
    script:
      'mount -n -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && ' +
      'mount -n -t overlay o -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /mnt/m',
    module: 'overlay',
  },
];

const NAMESPACES = ['--net', '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--time', '--fork', '--kill-child'];

export async function probe(): Promise<ProbeResult> {
  if (process.platform !== 'linux') return lacking(['Linux'], 'The test-bed is made of Linux namespaces.');
  if (process.geteuid?.() !== 0) {
    return lacking(['root rights (for namespaces, links and cgroups)'], 'Run it as root, for example with sudo.');
  }
  const tools = missingTools();
  if (tools.length > 0 && !install(tools)) {
    return lacking(
      tools.map(({ command, aptPackage }) => `the command ${command} (package ${aptPackage})`),
      `Install it: apt-get install ${packagesOf(tools).join(' ')}`,
    );
  }
  const namespaces = tryInNamespaces('true');
  if (namespaces !== undefined) {
    return lacking(
      [`namespaces (${namespaces})`],
      'In a container, run it privileged, as with docker run --privileged.',
    );
  }
  const features = FEATURES.flatMap((feature) => explainMissing(feature));
  if (features.length > 0) return lacking(features, 'Use a kernel that has them, or load their modules.');
  return probeCgroups();
}

function probeCgroups(): ProbeResult {
  const unified = readHierarchies().filter(({ version }) => version === 2);
  if (unified.length === 0) {
    return lacking(
      ['cgroup2'],
      'Mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified',
    );
  }
  if (unified.every(({ readOnly, base }) => readOnly || !writable(base))) {
    return lacking(
      [`write access to ${unified[0].base}`],
      'In a container, run it privileged and with its own cgroup tree, as with docker run --privileged --cgroupns=private.',
    );
  }
  return { ok: true };
}

function lacking(missing: string[], help: string): ProbeResult {
  return { ok: false, missing, help: `The test-bed lacks ${missing.join(', ')}. ${help}` };
}

function missingTools(): (typeof TOOLS)[number][] {
  const found = (command: string): boolean =>
    SYSTEM_PATH.split(':').some((directory) => existsSync(`${directory}/${command}`));
  return TOOLS.filter(({ command }) => !found(command));
}

function packagesOf(tools: readonly (typeof TOOLS)[number][]): string[] {
  return [...new Set(tools.map(({ aptPackage }) => aptPackage))];
}

function install(tools: readonly (typeof TOOLS)[number][]): boolean {
  if (!existsSync('/usr/bin/apt-get')) return false;
  aptInstall(packagesOf(tools), `for ${tools.map(({ command }) => command).join(', ')}`);
  return missingTools().length === 0;
}

/** Says what it does on standard error. A second try follows after an update of the package lists. */
function aptInstall(packages: readonly string[], why: string): void {
  process.stderr.write(`test-bed: installing ${packages.join(' ')} by apt-get (${why})\n`);
  const apt = (...argv: string[]): boolean => {
    const options = ['-qq', '-y', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends'];
    const env = { ...process.env, PATH: SYSTEM_PATH, DEBIAN_FRONTEND: 'noninteractive' };
    return (
      spawnSync('apt-get', [...options, ...argv], { stdio: ['ignore', 'ignore', 2], timeout: 300_000, env }).status ===
      0
    );
  };
  if (!apt('install', ...packages)) {
    apt('update');
    apt('install', ...packages);
  }
}

/** Why `script` fails, or undefined when it works. */
function tryInNamespaces(script: string): string | undefined {
  const tried = spawnSync('unshare', [...NAMESPACES, '--', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
  });
  if (tried.status === 0) return undefined;
  return tried.error?.message ?? tried.stderr.trim().split('\n')[0];
}

function explainMissing(feature: (typeof FEATURES)[number]): string[] {
  let why = tryInNamespaces(feature.script);
  if (why !== undefined && feature.module !== undefined && loadModule(feature.module))
    why = tryInNamespaces(feature.script);
  return why === undefined ? [] : [`${feature.name} (${why})`];
}

/** The kernel loads modules by itself where kmod is installed; on small systems it is not. */
function loadModule(name: string): boolean {
  const load = (): boolean =>
    spawnSync('modprobe', [name], { env: { PATH: SYSTEM_PATH }, timeout: 30_000 }).status === 0;
  if (load()) return true;
  if (existsSync('/sbin/modprobe') || existsSync('/usr/sbin/modprobe') || !existsSync('/usr/bin/apt-get')) return false;
  aptInstall(['kmod'], `to load the kernel module ${name}`);
  return load();
}

function writable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
