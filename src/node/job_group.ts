/**
 * A job's cgroup: whatever its processes start is in it, too, however it is started, and stays in it when its parent ends.
 * So membership costs nothing and nobody is traced. It is made below the cgroup that the process is in: what limits the
 * user limits the job. See Documentation/admin-guide/cgroup-v2.rst.
 */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { cgroupDirectory } from '../sys/cgroups.ts';
import { descendants } from './job_mark.ts';

const PREFIX = 'mosix-job-';
const PROCESSES = 'cgroup.procs';

export class JobGroup {
  readonly directory: string;

  /** Settles when the first process is in it, with what it has started meanwhile. Never rejects. */
  readonly entered: Promise<void>;

  private constructor(directory: string, first?: number) {
    this.directory = directory;
    this.entered = first === undefined ? Promise.resolve() : this.#enter(first);
  }

  /**
   * Makes a cgroup and puts the process into it. The kernel takes 10 to 50 ms for that, in which it waits for all CPUs
   * (cgroup_threadgroup_rwsem); nobody waits for it but who has to.
   * @returns undefined where there are none, or none may be made
   */
  static of(pid: number, name: string): JobGroup | undefined {
    const parent = cgroupDirectory(pid);
    if (parent === undefined) return undefined;
    const directory = join(parent, PREFIX + name);
    try {
      mkdirSync(directory);
      accessSync(join(directory, PROCESSES), constants.W_OK);
      return new JobGroup(directory, pid);
    } catch {
      return undefined;
    }
  }

  async #enter(first: number): Promise<void> {
    const within = new Set<number>();
    const isOutside = (pid: number): boolean => !within.has(pid);
    // What is born to a process that is in it is in it, too; so what was born before is all that has to be looked for.
    for (let fresh = [first]; fresh.length > 0; fresh = [...descendants([first])].filter(isOutside)) {
      for (const pid of fresh) {
        within.add(pid);
        await writeFile(join(this.directory, PROCESSES), String(pid)).catch(() => {}); // it has ended
      }
    }
  }

  /** One that an earlier mosd has made. */
  static at(directory: string): JobGroup {
    return new JobGroup(directory);
  }

  /** The process goes back to where it was; the group ends. */
  async giveBack(pid: number): Promise<void> {
    await this.entered;
    try {
      writeFileSync(join(dirname(this.directory), PROCESSES), String(pid));
    } catch {
      // it has ended
    }
    this.remove();
  }

  /** Its processes, also in cgroups that the job makes for itself; those of jobs within it are their own. */
  processes(): number[] {
    return processesBelow(this.directory);
  }

  /** Whether a process whose cgroup is `directory` belongs to it, or to a job within it. */
  includes(directory: string): boolean {
    return directory === this.directory || directory.startsWith(`${this.directory}/`);
  }

  /** Does nothing while a process is in it. */
  remove(): void {
    const remove = (): void => {
      try {
        rmdirSync(this.directory);
      } catch {
        // somebody is in it, or it is gone
      }
    };
    remove();
    void this.entered.then(remove);
  }
}

function processesBelow(directory: string): number[] {
  try {
    const own = readFileSync(join(directory, PROCESSES), 'latin1').split('\n').filter(Boolean).map(Number);
    const inner = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith(PREFIX))
      .flatMap(({ name }) => processesBelow(join(directory, name)));
    return [...own, ...inner];
  } catch {
    return []; // it is gone
  }
}
