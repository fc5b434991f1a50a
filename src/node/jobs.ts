/** The programs that mosrun started on this node and that still run: what their users wished, and why they are where they are. */
import type { RunOptions } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { findProcess } from './local_process.ts';

export interface Job {
  pid: number;
  startTime: number;
  options: RunOptions;
  /** Why it is at home although it was to run elsewhere. */
  reason?: string;
}

export class Jobs {
  readonly #jobs = new Map<number, Job>();

  /** A process is about to become a job. @returns undefined if it is gone already */
  add(pid: number, options: RunOptions): Job | undefined {
    const found = findProcess(pid);
    if (found === undefined) return undefined;
    this.#prune();
    const job: Job = { pid, startTime: found.startTime, options };
    this.#jobs.set(pid, job);
    return job;
  }

  /** A process of a job has made another one: it belongs to the same job. @returns undefined if neither is known */
  join(parent: number, pid: number): Job | undefined {
    const of = this.get(parent);
    return of === undefined ? undefined : this.add(pid, of.options);
  }

  /** The job that a process belongs to, as long as it is the same process. */
  get(pid: number): Job | undefined {
    const job = this.#jobs.get(pid);
    return job !== undefined && this.isAlive(job) ? job : undefined;
  }

  all(): Job[] {
    this.#prune();
    return [...this.#jobs.values()];
  }

  remove(job: Job): void {
    if (this.#jobs.get(job.pid) === job) this.#jobs.delete(job.pid);
  }

  /** Whether the process that was registered still runs. */
  isAlive(job: Job): boolean {
    const found = findProcess(job.pid);
    return found !== undefined && !found.ended && found.startTime === job.startTime;
  }

  /** The jobs as rows, as if they were all at home. */
  rows(node: string): ProcessRow[] {
    this.#prune();
    return [...this.#jobs.values()].flatMap((job) => {
      const found = findProcess(job.pid);
      if (found === undefined) return [];
      const { pid, uids, comm, threads, memoryBytes } = found;
      const still = { moves: 0, forwarded: 0, forwardedPerSecond: 0, state: 'home' as const };
      return [{ pid, uid: uids[0], comm, where: node, home: node, threads, memoryBytes, ...still, reason: job.reason }];
    });
  }

  /** Done at each use, so that the table never holds more than the processes of this machine. */
  #prune(): void {
    for (const job of this.#jobs.values()) if (!this.isAlive(job)) this.#jobs.delete(job.pid);
  }
}
