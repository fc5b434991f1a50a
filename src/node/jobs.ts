/**
 * The jobs of this node: what mosrun became, with everything that it has started since, wherever that is in the tree of
 * processes. What their users wished, and why their processes are where they are.
 *
 * Promise: a restart of mosd forgets no job. Nothing is traced or slowed for it.
 */
import type { JobRow, RunOptions } from '../wire/command_protocol.ts';
import type { ProcessRow } from '../wire/engine_protocol.ts';
import { cgroupDirectory } from '../sys/cgroups.ts';
import { JobGroup, removeAbandoned } from './job_group.ts';
import { descendants, markedProcesses, markOf } from './job_mark.ts';
import { readJobs, writeJobs } from './job_file.ts';
import { findProcess, parentOf } from './local_process.ts';

/** A process of a job. */
export interface Member {
  readonly pid: number;
  /** With the pid it names a process for good, because pids come again. */
  readonly startTime: number;
  readonly job: Job;
  /** Why it is at home although it was to run elsewhere. */
  reason?: string;
  /** It is at home because its user wants to look at it (`mosix attach`). */
  held?: boolean;
}

export interface Job {
  /** Unique for as long as the machine runs. */
  readonly id: string;
  /** The process that mosrun became. */
  readonly pid: number;
  readonly uid: number;
  /** What counts for it now: its own wishes, and where it has none those of the job it was started in. */
  options: RunOptions;
  readonly group: JobGroup | undefined;
  readonly members: Map<number, Member>;
  /** Children of its first process from before it became the program (`sh -c 'this & exec mosrun that'`): not its own. */
  readonly earlier: Pick<Member, 'pid' | 'startTime'>[];
  /** CPU time of its processes on other nodes, of stays that are over. */
  cpuAwayMs: number;
}

/** Jobs that have ended are remembered for `mosrun --time`, which asks right after. */
const REMEMBERED_ENDS = 200;
/** How far one looks up the tree of processes. */
const MAX_ANCESTORS = 64;
/** Milliseconds between two searches for marks: they look at all processes of the machine. */
const MARK_SEARCH_MS = 1000;

export class Jobs {
  readonly #jobs = new Set<Job>();
  readonly #ended: Job[] = [];
  readonly #file: string | undefined;
  /** Jobs of processes that are away: they may have ended when their last word comes. */
  readonly #away = new Map<number, Job>();
  /** Found by anybody's look at the jobs, and not placed yet. */
  readonly #newcomers = new Set<Member>();
  #searched = -Infinity;
  #marks: ReadonlyMap<number, string> = new Map();

  /** @param file What outlives mosd; none in memory only. */
  constructor(file?: string) {
    this.#file = file;
  }

  /** Takes up what an earlier mosd has left. */
  load(): void {
    for (const { members, directory, ...job } of this.#file === undefined ? [] : readJobs(this.#file)) {
      const group = directory === undefined ? undefined : JobGroup.at(directory);
      const loaded: Job = { ...job, group, members: new Map() };
      for (const one of members) loaded.members.set(one.pid, { ...one, job: loaded });
      this.#jobs.add(loaded);
    }
    this.refresh();
    removeAbandoned();
  }

  /** Settles when it is clear which job a process belongs to: that of its parent may just be beginning. */
  async settled(pid: number): Promise<void> {
    for (let one = pid, steps = 0; one > 1 && steps < MAX_ANCESTORS; one = parentOf(one), steps += 1)
      await [...this.#jobs].find((job) => job.pid === one)?.group?.entered;
  }

  /** A process is about to become a job. @returns undefined if it is gone already */
  add(pid: number, wishes: RunOptions): Job | undefined {
    const found = findProcess(pid);
    if (found === undefined) return undefined;
    const outer = this.of(pid);
    const id = `${pid}-${found.startTime}`;
    const earlier = [...descendants([pid])].flatMap((each) => (each === pid ? [] : (findProcess(each) ?? [])));
    const group = JobGroup.of(pid, id, (each) => this.#isEarlier({ earlier }, each));
    const options = wishes.native ? { ...NATIVE } : { ...inherited(outer?.job.options), ...withoutUndefined(wishes) };
    // A node, "at home" and "begin where it is best" exclude each other: the newer wish counts.
    const [begins, elsewhere] = [wishes.best === true || wishes.among !== undefined, wishes.restrict !== undefined];
    if (wishes.home || begins) delete options.restrict;
    if (begins || elsewhere) delete options.home;
    if (wishes.home || elsewhere) for (const each of ['best', 'among'] as const) delete options[each];
    const job: Job = {
      id,
      pid,
      uid: found.uids[0],
      options,
      group,
      members: new Map(),
      earlier: earlier.map(({ pid: each, startTime }) => ({ pid: each, startTime })),
      cpuAwayMs: 0,
    };
    outer?.job.members.delete(pid);
    // Whoever is just placing it for that job lets it be.
    if (outer !== undefined) outer.held = true;
    job.members.set(pid, { pid, startTime: found.startTime, job });
    this.#jobs.add(job);
    this.save();
    return job;
  }

  /** A process of a job has made another one: it belongs to the same job. @returns undefined if it belongs to none */
  join(parent: number, pid: number): Member | undefined {
    const job = this.of(parent)?.job ?? this.#away.get(parent);
    const child = this.of(pid) ?? (job === undefined ? undefined : this.#admit(job, pid));
    if (child !== undefined) this.#newcomers.delete(child);
    return child;
  }

  /** The process as a member of its job, as long as it is the same process. */
  of(pid: number): Member | undefined {
    for (const job of this.#jobs) {
      const member = job.members.get(pid);
      if (member !== undefined && this.isAlive(member)) return member;
    }
    const job = this.#search(pid);
    const member = job === undefined ? undefined : this.#admit(job, pid);
    if (member !== undefined) this.#newcomers.add(member);
    return member;
  }

  all(): Job[] {
    this.refresh();
    return [...this.#jobs];
  }

  any(holds: (job: Job) => boolean): boolean {
    return [...this.#jobs].some(holds);
  }

  /** Those that have been found since the last time; for placement alone, which must not miss any. */
  newcomers(): Member[] {
    this.refresh();
    const found = [...this.#newcomers];
    this.#newcomers.clear();
    return found;
  }

  /** Looks which processes the jobs have now, and which jobs have ended. */
  refresh(): void {
    for (const job of this.#jobs) {
      for (const member of job.members.values()) {
        if (this.isAlive(member)) continue;
        job.members.delete(member.pid);
        this.#newcomers.delete(member);
      }
      for (const pid of job.group?.processes() ?? this.#unbound(job)) {
        // One that began a job within this one may not have reached its own cgroup yet; for all others the cgroup counts.
        if (job.members.has(pid) || this.#others(job, pid).some((other) => other.pid === pid)) continue;
        for (const other of this.#others(job, pid)) other.members.delete(pid);
        const member = this.#admit(job, pid);
        if (member !== undefined) this.#newcomers.add(member);
      }
      if (job.members.size === 0) this.#end(job);
    }
  }

  /** It did not become a program after all. */
  remove(job: Job): void {
    void job.group?.giveBack(job.pid);
    this.#jobs.delete(job);
    this.save();
  }

  /** The jobs end as such; their processes go on as ordinary ones, where they were before. */
  async dissolve(): Promise<void> {
    const groups = [...this.#jobs].flatMap(({ group }) => group ?? []);
    await Promise.all(groups.map(({ entered }) => entered));
    // Inner ones first: they give back to those around them.
    for (const group of groups.toSorted((a, b) => b.directory.length - a.directory.length)) {
      for (const pid of group.processes()) await group.giveBack(pid);
      group.remove();
    }
    this.#jobs.clear();
    this.save();
  }

  /** Whether the process still runs. */
  isAlive({ pid, startTime }: Pick<Member, 'pid' | 'startTime'>): boolean {
    const found = findProcess(pid);
    return found !== undefined && !found.ended && found.startTime === startTime;
  }

  /** From now on what it uses elsewhere is told by the engine, perhaps when it has ended. */
  isAway(pid: number): void {
    const job = this.of(pid)?.job;
    if (job !== undefined) this.#away.set(pid, job);
  }

  /** A stay elsewhere is over. */
  used(pid: number, cpuMs: number): void {
    const job = this.#away.get(pid) ?? this.of(pid)?.job;
    this.#away.delete(pid);
    if (job !== undefined) job.cpuAwayMs += cpuMs;
  }

  /** The job that a process began, also if it has ended. */
  begunBy(pid: number): Job | undefined {
    return [...this.#ended, ...this.#jobs].findLast((job) => job.pid === pid);
  }

  /** The processes as rows, as if they were all at home. */
  rows(node: string): ProcessRow[] {
    return this.#shown().flatMap((job) =>
      [...job.members.values()].flatMap(({ pid, reason }) => {
        const found = findProcess(pid);
        if (found === undefined) return [];
        const { uids, comm, threads, memoryBytes, cpuMs } = found;
        const still = { moves: 0, forwarded: 0, forwardedPerSecond: 0, state: 'home' as const };
        const row = { pid, uid: uids[0], comm, where: node, home: node, threads, memoryBytes, cpuMs };
        return [{ ...row, ...still, reason, job: job.options.job }];
      }),
    );
  }

  /** Those that are a user's jobs: a native program is there to keep what it starts at home. */
  #shown(): Job[] {
    return this.all().filter(({ options }) => options.native !== true);
  }

  list(): JobRow[] {
    return this.#shown().map(({ pid, uid, options, members }) => ({
      pid,
      uid,
      tag: options.job,
      processes: [...members.values()].map((member) => member.pid),
    }));
  }

  save(): void {
    if (this.#file === undefined) return;
    const stored = [...this.#jobs].map(({ group, members, ...job }) => ({
      ...job,
      directory: group?.directory,
      members: [...members.values()].map(({ pid, startTime, reason, held }) => ({ pid, startTime, reason, held })),
    }));
    writeJobs(this.#file, stored);
  }

  #admit(job: Job, pid: number): Member | undefined {
    const found = findProcess(pid);
    if (found === undefined || found.ended || found.kernelThread) return undefined;
    const member: Member = { pid, startTime: found.startTime, job };
    job.members.set(pid, member);
    return member;
  }

  #end(job: Job): void {
    this.#jobs.delete(job);
    job.group?.remove();
    this.#ended.push(job);
    if (this.#ended.length > REMEMBERED_ENDS) this.#ended.shift();
    this.save();
  }

  /** The processes of a job that has no cgroup. */
  #unbound(job: Job): Set<number> {
    // Before a job counts as ended one looks again: its last processes may have lost their parents just now.
    const carrying = [...this.#marked(job.members.size === 0)]
      .filter(([, mark]) => mark === job.id)
      .map(([pid]) => pid);
    const isOthers = (pid: number): boolean => this.#others(job, pid).length > 0 || this.#isEarlier(job, pid);
    return descendants([...job.members.keys(), ...carrying], isOthers);
  }

  #isEarlier({ earlier }: Pick<Job, 'earlier'>, pid: number): boolean {
    return earlier.some((one) => one.pid === pid && this.isAlive(one));
  }

  /** Other jobs to which it is known to belong. */
  #others(job: Job, pid: number): Job[] {
    return [...this.#jobs].filter((other) => other !== job && other.members.has(pid));
  }

  /** The innermost job that a process is in, by its cgroup or else by its mark. */
  #search(pid: number): Job | undefined {
    const directory = cgroupDirectory(pid);
    const jobs = [...this.#jobs];
    const within = jobs.filter(({ group }) => directory !== undefined && group?.includes(directory) === true);
    if (within.length > 0)
      return within.reduce((a, b) => (a.group!.directory.length > b.group!.directory.length ? a : b));
    if (jobs.every(({ group }) => group !== undefined)) return undefined;
    const mark = markOf(pid);
    return jobs.find(({ id, group }) => group === undefined && id === mark);
  }

  #marked(now: boolean): ReadonlyMap<number, string> {
    if (now || performance.now() - this.#searched > MARK_SEARCH_MS) {
      this.#searched = performance.now();
      this.#marks = markedProcesses();
    }
    return this.#marks;
  }
}

/** What keeps a native program at home, with all that it starts. */
const NATIVE: RunOptions = { native: true, home: true, stay: true };

/** A job within a job wishes what that wishes; one within a native program begins anew. */
function inherited(outer: RunOptions | undefined): RunOptions | undefined {
  return outer?.native === true ? undefined : outer;
}

function withoutUndefined(options: RunOptions): RunOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
