/** Two nodes for a measurement, with CPUs of their own or shared, and the probes compiled on both. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../bed/host.ts';
import type { HostProcess } from '../bed/host_process.ts';
import type { MoveResult } from '../../src/wire/engine_protocol.ts';
import { Lab, userId } from '../suite/lab.ts';

const probes = ['gap', 'calls', 'tcp', 'work', 'start', 'pace'] as const;
export type Probe = (typeof probes)[number];

const probeDirectory = '/home/mover/bench';
const tcpPort = 5555;
const readyTimeoutMs = 60_000;
const pollMs = 20;
const runTimeoutMs = 120_000;

export class MeasureError extends Error {
  constructor(what: string, reason: string) {
    super(`Cannot measure ${what}: ${reason}`);
    this.name = 'MeasureError';
  }
}

/** `apart`: each node has half of the CPUs that the benchmark may use. `together`: both have the same single one. */
export type Layout = 'apart' | 'together';

export class Place implements AsyncDisposable {
  readonly home: Host;
  readonly other: Host;
  /** Which node has which CPUs, and the link between them. */
  readonly description: string;
  readonly #lab: Lab;

  private constructor(lab: Lab, description: string) {
    this.#lab = lab;
    this.home = lab.home;
    this.other = lab.hosting[0];
    this.description = description;
  }

  static async start(layout: Layout): Promise<Place> {
    const [home, other] = cpusOf(layout);
    const hosts = [
      { name: 'home', cpuset: home },
      { name: 'n2', cpuset: other },
    ];
    const lab = await Lab.start([], { hosts });
    try {
      const place = new Place(lab, `home on CPU ${home}, n2 on CPU ${other}, veth link`);
      for (const host of [place.home, place.other]) compileProbes(host);
      return place;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }

  get mosrun(): string {
    return this.#lab.mosrun;
  }

  migrate(pid: number, to: 'away' | 'home'): Promise<MoveResult> {
    return this.#lab.control.move(pid, to === 'home' ? 'home' : this.other.name);
  }

  /** Starts a probe at home, as an ordinary user. */
  start(probe: Probe, ...argv: readonly string[]): HostProcess {
    return this.home.spawn([`${probeDirectory}/${probe}`, ...argv], { uid: userId, cwd: '/home/mover' });
  }

  /** The numbers that a probe prints, a line each. */
  async collect(running: HostProcess, what: string, timeoutMs = runTimeoutMs): Promise<number[][]> {
    const { code, signal } = await running.wait(timeoutMs);
    if (code !== 0) throw new MeasureError(what, `it ended with ${signal ?? `exit ${code}`}; ${running.readStderr()}`);
    const lines = running
      .readStdout()
      .split('\n')
      .filter((line) => /^\d/.test(line));
    return lines.map((line) => line.split(' ').map(Number));
  }

  /** Nanoseconds of `count` exchanges over plain TCP; the side that asks is `from`. */
  async exchange(
    from: Host,
    sizes: { request: number; reply: number },
    options: { count: number; wait: 'block' | 'spin' },
  ): Promise<number[]> {
    const to = from === this.home ? this.other : this.home;
    const server = to.spawn([`${probeDirectory}/tcp`, 'serve', String(tcpPort)]);
    try {
      await untilReady(server, 'a TCP exchange');
      const numbers = [sizes.request, sizes.reply, options.count].map(String);
      const asker = from.spawn([`${probeDirectory}/tcp`, 'ask', to.address, String(tcpPort), ...numbers, options.wait]);
      return (await this.collect(asker, 'a TCP exchange')).map(([nanoseconds]) => nanoseconds);
    } finally {
      server.kill('SIGKILL');
      await server.wait(readyTimeoutMs);
    }
  }
}

/** Waits for the line `ready`. */
export async function untilReady(running: HostProcess, what: string): Promise<void> {
  const giveUp = performance.now() + readyTimeoutMs;
  while (!running.readStdout().includes('ready\n')) {
    if (!running.running || performance.now() > giveUp)
      throw new MeasureError(what, `a probe did not start; ${running.readStderr()}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function cpusOf(layout: Layout): [string, string] {
  const cpus = allowedCpus();
  if (cpus.length === 1) return [cpus[0], cpus[0]];
  if (layout === 'together') return [cpus[1], cpus[1]];
  const half = cpus.length >> 1;
  return [cpus.slice(0, half).join(), cpus.slice(half).join()];
}

/** The CPUs that this benchmark was given (taskset(1)): it stays out of the way on the others. */
function allowedCpus(): string[] {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))!;
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
  });
}

function compileProbes(host: Host): void {
  const directory = host.outsidePath(probeDirectory);
  mkdirSync(directory, { recursive: true });
  for (const probe of probes) {
    const argv = ['-O2', '-pthread', join(import.meta.dirname, `${probe}.c`), '-o', `${directory}/${probe}`];
    const run = spawnSync('gcc', argv, { encoding: 'utf8' });
    if (run.status !== 0) throw new MeasureError(probe, `gcc: ${run.error?.message ?? run.stderr}`);
  }
}
