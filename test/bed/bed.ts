/**
 * The test-bed: many hosts on one machine, made of namespaces, a bridge and cgroups.
 *
 * A bed lives as long as the process that started it. However that process ends, kill -9 included, the janitor
 * (janitor.sh) removes processes, namespaces, cgroups and files. See README.md beside this file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync, readFileSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BedCgroups, type HostCgroup } from './cgroups.ts';
import { BedError } from './errors.ts';
import { Host } from './host.ts';
import { launch, Reports, SYSTEM_PATH } from './launch.ts';
import { probe, type ProbeResult } from './probe.ts';
import { addressOf, type Port, Switch } from './switch.ts';
import { within } from './wait.ts';

export interface HostOptions {
  /** letters, digits and dashes */
  name: string;
  /** quota, in CPUs; default none */
  cpus?: number;
  /** the CPUs it may use, as in `0-1,3` */
  cpuset?: string;
  memoryBytes?: number;
  /** how far CLOCK_MONOTONIC and CLOCK_BOOTTIME are ahead of this machine's; default 100 000 s per host, each other */
  clockOffsetSeconds?: number;
}

export interface BedOptions {
  hosts: readonly HostOptions[];
  /** directories of this machine shown read-only at the same path in every host */
  share?: readonly string[];
  /** where the bed's files go while it lives; default the temporary directory */
  dir?: string;
}

const JANITOR = scriptPath('janitor.sh');
const SWITCH_INIT = scriptPath('switch_init.sh');
const HOST_INIT = scriptPath('host_init.sh');
const STOP_TIMEOUT_MS = 20_000;

export class Bed implements AsyncDisposable {
  readonly #hosts = new Map<string, Host>();
  readonly #state: string;
  readonly #cgroups: BedCgroups;
  readonly #janitor: ChildProcess;
  readonly #cleaned: Promise<number | null>;

  /** Whether this machine and user can have a bed; installs missing tools where it may, saying so. */
  static probe(): Promise<ProbeResult> {
    return probe();
  }

  static async start(options: BedOptions): Promise<Bed> {
    checkNames(options.hosts);
    const bed = new Bed(options);
    try {
      await bed.#boot(options);
      return bed;
    } catch (error) {
      await bed.stop();
      throw error;
    }
  }

  /** Arms the janitor before anything exists that it would have to remove. */
  private constructor(options: BedOptions) {
    const id = `mosix-bed-${process.pid}-${randomBytes(4).toString('hex')}`;
    this.#state = `${options.dir ?? tmpdir()}/${id}`;
    this.#cgroups = new BedCgroups(id, options.hosts);
    this.#janitor = spawn('/bin/bash', [JANITOR, this.#state, ...this.#cgroups.directories], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: SYSTEM_PATH },
    });
    this.#cleaned = new Promise((resolve, reject) => {
      this.#janitor.on('error', reject);
      this.#janitor.on('exit', resolve);
    });
    this.#cleaned.catch(() => {});
    this.#janitor.unref();
    unrefPipe(this.#janitor);
    if (this.#janitor.pid === undefined) throw new BedError('start the test-bed', 'no process could be started');
  }

  async #boot(options: BedOptions): Promise<void> {
    mkdirSync(this.#state, { mode: 0o700 });
    for (const directory of ['log', 'run', 'root']) mkdirSync(`${this.#state}/${directory}`);
    this.#cgroups.create();
    const supervisor = await this.#startSwitch();
    const network = new Switch(supervisor);
    const hosts = options.hosts.map((host, index) => this.#startHost(host, { options, supervisor, number: index + 1 }));
    const ports = await Promise.all(hosts.map((host) => host.born()));
    await network.connect(ports);
    await Promise.all(hosts.map((host) => host.finish()));
    hosts.forEach(({ name, cgroup }, index) => {
      const files = `${this.#state}/run/${name}`;
      mkdirSync(files);
      cgroup.settle(ports[index].init, this.#cgroups.switchProcs);
      this.#hosts.set(name, new Host(name, { port: ports[index], switch: network, cgroup, files }));
    });
  }

  async #startSwitch(): Promise<number> {
    const unshare = ['unshare', '--net', '--pid', '--mount', '--fork', '--kill-child', '--', 'bash', SWITCH_INIT];
    const { child, log } = this.#launchInit('switch', unshare, [this.#cgroups.switchProcs]);
    const reports = new Reports(child, 'start the switch', log);
    const pid = Number(await reports.expect('pid'));
    await reports.expect('ready');
    release(child);
    return pid;
  }

  #startHost(host: HostOptions, context: { options: BedOptions; supervisor: number; number: number }): StartingHost {
    const { options, supervisor, number } = context;
    const cgroup = this.#cgroups.addHost(host.name, host);
    const offset = String(host.clockOffsetSeconds ?? number * 100_000);
    const unshare = 'unshare --net --pid --mount --uts --ipc --cgroup --time --propagation private --fork --kill-child';
    const argv = [
      ...`nsenter --target ${supervisor} --pid -- ${unshare} --monotonic ${offset} --boottime ${offset} --`.split(' '),
      'bash',
      HOST_INIT,
      ...(options.share ?? []),
    ];
    const { child, log } = this.#launchInit(host.name, argv, cgroup.bootProcs, {
      BED_NAME: host.name,
      BED_ADDRESS: addressOf(number),
      BED_STATE: `${this.#state}/root`,
      BED_HOSTS: options.hosts.map(({ name }, index) => `${addressOf(index + 1)} ${name}`).join('\n'),
    });
    return new StartingHost({ name: host.name, number, child, log, cgroup });
  }

  #launchInit(
    name: string,
    argv: string[],
    cgroups: string[],
    env: Record<string, string> = {},
  ): { child: ChildProcess; log: () => string } {
    const path = `${this.#state}/log/${name}`;
    const stderr = openSync(path, 'w');
    try {
      const child = launch(argv, {
        cgroups,
        stdio: ['pipe', 'pipe', stderr],
        env: { PATH: SYSTEM_PATH, LC_ALL: 'C', ...env },
      });
      child.stdin?.on('error', () => {}); // its early end is reported by the missing line
      return { child, log: () => `; ${readFileSync(path, 'utf8').trim()}` };
    } finally {
      closeSync(stderr);
    }
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new BedError(`find host ${name}`, `there are ${[...this.#hosts.keys()].join(', ')}`);
    return host;
  }

  /** Ends every host and returns when nothing of the bed is left. */
  async stop(): Promise<void> {
    this.#janitor.stdin?.end();
    this.#janitor.ref();
    const code = await within(this.#cleaned, 'stop the test-bed', STOP_TIMEOUT_MS);
    if (code !== 0)
      throw new BedError('stop the test-bed', `the janitor ended with ${code}; see ${this.#cgroups.directories[0]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A host between its first process and its last line of set-up. */
class StartingHost {
  readonly name: string;
  readonly cgroup: HostCgroup;
  readonly #number: number;
  readonly #child: ChildProcess;
  readonly #reports: Reports;

  constructor(parts: { name: string; number: number; child: ChildProcess; log: () => string; cgroup: HostCgroup }) {
    this.name = parts.name;
    this.cgroup = parts.cgroup;
    this.#number = parts.number;
    this.#child = parts.child;
    this.#reports = new Reports(parts.child, `start host ${parts.name}`, parts.log);
  }

  async born(): Promise<Port> {
    return { number: this.#number, init: Number(await this.#reports.expect('pid')) };
  }

  /** The link exists; let the init configure it and wait until the host is complete. */
  async finish(): Promise<void> {
    this.#child.stdin?.write('linked\n');
    await this.#reports.expect('ready');
    release(this.#child);
  }
}

/** The init has its own standard streams now; do not let ours keep Node alive. */
function release(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
}

function unrefPipe(child: ChildProcess): void {
  const pipe: unknown = child.stdin;
  if (pipe instanceof Object && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}

function checkNames(hosts: readonly HostOptions[]): void {
  const names = hosts.map(({ name }) => name);
  const bad = names.find((name) => !/^[a-z0-9][a-z0-9-]{0,30}$/.test(name) || name === 'switch');
  if (bad !== undefined)
    throw new BedError(`name a host ${bad}`, 'a name is letters, digits and dashes, and not "switch"');
  if (new Set(names).size !== names.length)
    throw new BedError('start the test-bed', `two hosts have one name: ${names.join(', ')}`);
  if (names.length > 250) throw new BedError('start the test-bed', 'there are addresses for 250 hosts only');
}

function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
