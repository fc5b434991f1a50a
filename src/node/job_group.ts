/**
 * A job's cgroup: whatever its processes start is in it, too, however it is started, and stays in it when its parent ends.
 * So membership costs nothing and nobody is traced. It is made below the cgroup that the process is in: what limits the
 * user limits the job. See Documentation/admin-guide/cgroup-v2.rst.
 */
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { cgroupDirectory, cgroupRoot } from '../sys/cgroups.ts';
import { descendants, markOf } from './job_mark.ts';

const PREFIX = 'mosix-job-';
const PROCESSES = 'cgroup.procs';

export class JobGroup {
  readonly directory: string;

  /** Settles when the first process is in it, with what it has started meanwhile. Never rejects. */
  readonly entered: Promise<void>;

  private constructor(directory: string, entered: (group: JobGroup) => Promise<void>) {
    this.directory = directory;
    this.entered = entered(this);
  }

  /**
   * Makes a cgroup and puts the process into it. The kernel takes 10 to 50 ms for that, in which it waits for all CPUs
   * (cgroup_threadgroup_rwsem); nobody waits for it but who has to.
   * @param id of the job: the mark that the process carries when it has become the program
   * @param isOthers whether a process is none of the job's
   * @returns undefined where there are none, or none may be made
   */
  static of(pid: number, id: string, isOthers: (pid: number) => boolean): JobGroup | undefined {
    const parent = cgroupDirectory(pid);
    if (parent === undefined) return undefined;
    const directory = join(parent, PREFIX + id);
    try {
      mkdirSync(directory);
      accessSync(join(directory, PROCESSES), constants.W_OK);
      return new JobGroup(directory, (group) => group.#enter(pid, id, isOthers));
    } catch {
      return undefined;
    }
  }

  async #enter(first: number, id: string, isOthers: (pid: number) => boolean): Promise<void> {
    const tried = new Set<number>();
    // What is born to a process that is in it is in it, too; so what was born before is all that has to be looked for:
    // children, and by the mark those whose parents have gone already.
    const left = (): number[] => {
      const ours = descendants([first], isOthers);
      const outside = processesIn(dirname(this.directory)).filter((pid) => !tried.has(pid));
      return outside.filter((pid) => ours.has(pid) || markOf(pid) === id);
    };
    for (let fresh = [first]; fresh.length > 0; fresh = left()) {
      for (const pid of fresh) {
        tried.add(pid);
        await writeFile(join(this.directory, PROCESSES), String(pid)).catch(() => {}); // it has ended
      }
    }
  }

  /** One that an earlier mosd has made. */
  static at(directory: string): JobGroup {
    return new JobGroup(directory, () => Promise.resolve());
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

  /** Does nothing while a process is in it, or a job within it; the last of these removes it, too. */
  remove(): void {
    const remove = (): void => removeEmpty(this.directory);
    remove();
    void this.entered.then(remove);
  }
}

/** Milliseconds after which a cgroup that is empty is not one that somebody is just going to enter. */
const ABANDONED_MS = 60_000;

/** Removes the empty cgroups of jobs, anywhere, that no mosd has removed because it was killed. */
export function removeAbandoned(directory = cgroupRoot()): void {
  if (directory === undefined) return;
  for (const name of directoriesIn(directory)) {
    const inner = join(directory, name);
    removeAbandoned(inner);
    if (
      name.startsWith(PREFIX) &&
      Date.now() - (statSync(inner, { throwIfNoEntry: false })?.ctimeMs ?? 0) > ABANDONED_MS
    )
      removeEmpty(inner);
  }
}

/** With the empty cgroups that the job has made, and with those of the jobs around it if they have only waited for that. */
function removeEmpty(directory: string): void {
  for (const name of directoriesIn(directory)) if (!name.startsWith(PREFIX)) removeEmpty(join(directory, name));
  try {
    rmdirSync(directory);
  } catch {
    return; // somebody is in it, or it is gone
  }
  const around = dirname(directory);
  if (basename(around).startsWith(PREFIX)) removeEmpty(around);
}

function processesBelow(directory: string): number[] {
  const inner = directoriesIn(directory)
    .filter((name) => !name.startsWith(PREFIX))
    .flatMap((name) => processesBelow(join(directory, name)));
  return [...processesIn(directory), ...inner];
}

function directoriesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return []; // it is gone
  }
}

function processesIn(directory: string): number[] {
  try {
    return readFileSync(join(directory, PROCESSES), 'latin1').split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // it is gone
  }
}
