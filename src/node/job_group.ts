/**
 * A job's cgroup: whatever its processes start is in it, too, however it is started, and stays in it when its parent ends.
 * So membership costs nothing and nobody is traced. It is made below the cgroup that the process is in: what limits the
 * user limits the job. See Documentation/admin-guide/cgroup-v2.rst.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { cgroupDirectory } from '../sys/cgroups.ts';

const PREFIX = 'mosix-job-';
const PROCESSES = 'cgroup.procs';

export class JobGroup {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes a cgroup and puts the process into it. @returns undefined where there are none, or none may be made */
  static of(pid: number, name: string): JobGroup | undefined {
    const parent = cgroupDirectory(pid);
    if (parent === undefined) return undefined;
    const group = new JobGroup(join(parent, PREFIX + name));
    try {
      mkdirSync(group.directory);
      writeFileSync(join(group.directory, PROCESSES), String(pid));
      return group;
    } catch {
      group.remove();
      return undefined;
    }
  }

  /** One that an earlier mosd has made. */
  static at(directory: string): JobGroup {
    return new JobGroup(directory);
  }

  /** The process goes back to where it was; the group ends. */
  giveBack(pid: number): void {
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
    try {
      rmdirSync(this.directory);
    } catch {
      // somebody is in it, or it is gone
    }
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
