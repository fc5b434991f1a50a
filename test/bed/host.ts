/**
 * A host of the test-bed: a machine of its own as far as namespaces and cgroups can make one.
 *
 * It shares with this machine only the kernel, /usr and /etc (copy on write) and the directories named at start.
 * It does not have its own loadavg, meminfo, cpuinfo or CLOCK_REALTIME.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HostCgroup } from './cgroups.ts';
import { BedError, BedTimeoutError, reasonOf } from './errors.ts';
import { type ExitStatus, HostProcess, pidsOf, type SpawnOptions } from './host_process.ts';
import { addressOf, type Port, type Switch } from './switch.ts';
import { until } from './wait.ts';

export interface RunOptions extends SpawnOptions {
  /** default 60 s; the program and its children are then killed */
  timeoutMs?: number;
}

export interface RunResult extends ExitStatus {
  stdout: Buffer;
  stderr: Buffer;
}

export class Host {
  readonly name: string;
  readonly address: string;
  /** as this machine sees it */
  readonly pid1: number;
  readonly #port: Port;
  readonly #switch: Switch;
  readonly #cgroup: HostCgroup;
  readonly #files: string;
  #started = 0;

  constructor(name: string, parts: { port: Port; switch: Switch; cgroup: HostCgroup; files: string }) {
    this.name = name;
    this.pid1 = parts.port.init;
    this.address = addressOf(parts.port.number);
    this.#port = parts.port;
    this.#switch = parts.switch;
    this.#cgroup = parts.cgroup;
    this.#files = parts.files;
  }

  get alive(): boolean {
    return existsSync(`/proc/${this.pid1}/ns/pid`) && !isZombie(this.pid1);
  }

  /** Starts a program, session leader of its own session. Its parent is outside: getppid() is 0. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): HostProcess {
    if (!this.alive) throw new BedError(`run ${argv[0]} on ${this.name}`, 'the host is dead');
    this.#started += 1;
    return new HostProcess(argv, options, {
      hostName: this.name,
      init: this.pid1,
      cgroups: this.#cgroup.procs,
      files: `${this.#files}/${this.#started}`,
    });
  }

  /** Runs a program to its end. Throws BedTimeoutError after killing it when that takes too long. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const started = this.spawn(argv, options);
    let status: ExitStatus;
    try {
      status = await started.wait(options.timeoutMs);
    } catch (error) {
      if (error instanceof BedTimeoutError) started.killGroup('SIGKILL');
      throw error;
    }
    const [stdout, stderr] = await Promise.all([readFile(started.stdout), readFile(started.stderr)]);
    const files = started.stdout.replace(/stdout$/, '');
    await Promise.all(['stdin', 'stdout', 'stderr', 'status'].map((ending) => rm(files + ending, { force: true })));
    return { ...status, stdout, stderr };
  }

  /** Where a file of the host is to be found on this machine. Absolute symbolic links in the path mislead. */
  outsidePath(path: string): string {
    return `/proc/${this.pid1}/root${path}`;
  }

  /** The pid on this machine of the process that is `pid` inside the host. */
  outsidePidOf(pid: number): number | undefined {
    return this.#cgroup.members().find((outside) => pidsOf(outside).at(-1) === pid);
  }

  /** All its processes, as this machine sees them. */
  processes(): number[] {
    return this.#cgroup.members();
  }

  /** Missing directories are made. */
  async writeFile(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    const outside = this.outsidePath(path);
    try {
      mkdirSync(dirname(outside), { recursive: true });
      writeFileSync(outside, data, { mode });
    } catch (error) {
      throw new BedError(`write ${path} on ${this.name}`, reasonOf(error), { cause: error });
    }
  }

  async readFile(path: string): Promise<Buffer> {
    try {
      return readFileSync(this.outsidePath(path));
    } catch (error) {
      throw new BedError(`read ${path} on ${this.name}`, reasonOf(error), { cause: error });
    }
  }

  /** CPU time of everything that ever ran in this host, ended or not, in seconds. */
  cpuSeconds(): number {
    return this.#cgroup.cpuSeconds();
  }

  /** Limits the link both ways, as in `{ rate: '1gbit' }`; without a rate the limit is lifted. */
  async shape(link: { rate?: string }): Promise<void> {
    await this.#switch.shape(this.#port, link.rate);
  }

  /** Takes the host off the network without telling anybody: no packet passes, no connection is reset. */
  async cut(): Promise<void> {
    await this.#switch.cut(this.#port);
  }

  async heal(): Promise<void> {
    await this.#switch.heal(this.#port);
  }

  /** The host's kernel crashes with the network up: its peers see their connections closed. */
  async kill(): Promise<void> {
    try {
      process.kill(this.pid1, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    this.#cgroup.setFrozen(false); // those who must reap may be frozen with the rest
    await until(() => !this.alive, { what: `kill ${this.name}`, timeoutMs: 10_000 });
  }

  /** The host stops as without electricity: its peers hear nothing any more. */
  async powerLoss(): Promise<void> {
    await this.cut();
    await this.kill();
  }

  /** Everything in the host stands still, connections stay open. */
  async hang(): Promise<void> {
    await this.#cgroup.freeze();
  }

  async resume(): Promise<void> {
    this.#cgroup.setFrozen(false);
  }
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
