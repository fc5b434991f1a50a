/**
 * The nodes on which a suite runs its cases: a home node where the user, the programs and the data are, and hosting
 * nodes that lack all three. Made anew after a failure, so that one broken engine does not fail the cases that follow.
 */
import { globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostOptions } from '../bed/bed.ts';
import { type Cluster, startCluster } from '../bed/cluster.ts';
import type { Host } from '../bed/host.ts';
import type { Case } from './case.ts';
import { Control } from './control.ts';

export const projectRoot = join(import.meta.dirname, '..', '..');

/** The ordinary user whose programs move; exists at home only. */
export const userId = 1700;
const userHome = '/home/mover';
const threeHosts = [{ name: 'home' }, { name: 'n2' }, { name: 'n3' }];
const prepareTimeoutMs = 180_000;

export class PrepareError extends Error {
  constructor(name: string, reason: string) {
    super(`Cannot prepare ${name}: ${reason}`);
    this.name = 'PrepareError';
  }
}

export interface LabOptions {
  hosts?: readonly HostOptions[];
  /** The daemons run as the user whose programs move; nothing of ours runs as root. */
  rootless?: boolean;
}

export class Lab implements AsyncDisposable {
  readonly home: Host;
  readonly hosting: readonly Host[];
  readonly control: Control;
  readonly mosrun = join(projectRoot, 'bin', 'mosrun');
  readonly #cluster: Cluster;
  readonly #prepared = new Map<string, Promise<void>>();
  /** Inputs are written one after the other: several cases may need the same one. */
  #preparing: Promise<void> = Promise.resolve();

  private constructor(cluster: Cluster, control: Control) {
    this.#cluster = cluster;
    this.control = control;
    this.home = cluster.home;
    this.hosting = cluster.hosts.filter((host) => host !== cluster.home);
  }

  /** The first host is the home node; `cases` say what the others must lack. */
  static async start(cases: readonly Case[], { hosts = threeHosts, rootless = false }: LabOptions = {}): Promise<Lab> {
    const cluster = await startCluster({ hosts, uid: rootless ? userId : 0 });
    try {
      const lab = new Lab(cluster, await Control.connect(cluster.home));
      await lab.#addUser();
      await lab.#takeAwayPrograms(cases.flatMap((one) => one.hide));
      return lab;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get hosts(): readonly Host[] {
    return [this.home, ...this.hosting];
  }

  /** The last words of a host's daemons. */
  logsOf(host: Host): string {
    return this.#cluster.logs(host);
  }

  directoryOf(name: string): string {
    return `${userHome}/${name}`;
  }

  /** Writes the case's input at home, once. */
  prepare(one: Case): Promise<void> {
    const known = this.#prepared.get(one.name);
    if (known) return known;
    const before = one.prepare === undefined ? Promise.resolve() : this.#preparing;
    const done = before.then(() => this.#prepare(one));
    if (one.prepare !== undefined) this.#preparing = done.catch(() => {});
    this.#prepared.set(one.name, done);
    return done;
  }

  async #prepare(one: Case): Promise<void> {
    const directory = this.directoryOf(one.name);
    await this.#atHome({ name: one.name, script: `install -d -o ${userId} -g ${userId} ${directory}` });
    if (one.prepare !== undefined)
      await this.#atHome({ name: one.name, script: one.prepare, uid: userId, cwd: directory });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.control[Symbol.dispose]();
    await this.#cluster.stop();
  }

  async #addUser(): Promise<void> {
    const script = `echo 'mover:x:${userId}:${userId}::${userHome}:/bin/sh' >> /etc/passwd
echo 'mover:x:${userId}:' >> /etc/group
install -d -o ${userId} -g ${userId} ${userHome}`;
    await this.#atHome({ name: 'the user', script });
  }

  /** From outside, because the test-bed itself needs perl to start anything inside a host. */
  async #takeAwayPrograms(patterns: readonly string[]): Promise<void> {
    for (const host of this.hosting) {
      const cwd = host.outsidePath('/');
      const paths = globSync(
        patterns.map((pattern) => pattern.slice(1)),
        { cwd },
      );
      for (const path of paths) await rm(join(cwd, path), { recursive: true });
    }
  }

  async #atHome(step: { name: string; script: string; uid?: number; cwd?: string }): Promise<void> {
    const { uid = 0, cwd = '/' } = step;
    const env = { LC_ALL: 'C', HOME: cwd, TMPDIR: cwd };
    const run = await this.home.run(['sh', '-ec', step.script], { cwd, uid, env, timeoutMs: prepareTimeoutMs });
    if (run.code !== 0) throw new PrepareError(step.name, run.stderr.toString().trim() || `exit status ${run.code}`);
  }
}
