/**
 * Puts the processes of placed jobs (`mosrun -r NODE`) on their node: the first one when it has become the program, each
 * other one when it appears. Those that are born away or execute a program are told by the engine; those that are born
 * at home, where nothing is traced, are looked for in the job's cgroup. Those that come home by themselves leave again
 * after a rest.
 *
 * Promise: never throws, for nobody is left to be told; why a process stays is shown by `mosps`.
 */
import { messageOf } from '../lib/errors.ts';
import type { EngineEvent, GuestAddress } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import type { EngineLink } from './engine_link.ts';
import type { Jobs, Member } from './jobs.ts';
import { LeaveAgain } from './leave_again.ts';
import type { Log } from './log.ts';

/** Attempts to move a process while its node says that it is busy. */
const PLACE_ATTEMPTS = 10;
/** Milliseconds between them; grows by as much each time. */
const PLACE_PAUSE_MS = 100;
/**
 * Milliseconds between two looks for processes at home. One that is there at two looks is moved; what is over sooner
 * is cheaper at home. Smaller: longer away; larger: less work for mosd.
 */
const LOOK_MS = 50;

export interface PlacementOptions {
  engine: EngineLink;
  jobs: Jobs;
  log: Log;
  /** Where a node's engine is; undefined if it is this node. @throws RefusedError */
  targetOf: (node: string) => Promise<GuestAddress | undefined>;
  /** Where a process that begins would be best off (`mosrun -b`). */
  bestFor?: (member: Member) => string;
}

export class Placement {
  readonly #options: PlacementOptions;
  readonly #again = new LeaveAgain<Member>();
  /** Processes of placed jobs that were seen at home once. */
  #seen = new Set<Member>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** mosd has started anew: it goes on looking after the jobs that it knew. */
  resume(): void {
    this.#watch();
  }

  /** Moves a process of a job to where its user wants it. */
  async place(member: Member): Promise<void> {
    const { engine, jobs, log, targetOf } = this.#options;
    const { pid } = member;
    for (let attempt = 1; attempt <= PLACE_ATTEMPTS && jobs.isAlive(member); attempt += 1) {
      const to = this.#beginsAt(member) ?? wishedNode(member);
      if (to === undefined) return;
      this.#watch();
      try {
        const target = await targetOf(to);
        if (target === undefined) return;
        // It may have become part of another job meanwhile, such as one that stays at home.
        if (jobs.of(pid) !== member) return;
        const result = await engine.engine.migrate({ pid, to: target }, () => {});
        log('run.placed', { pid, to, freezeMs: result.freezeMs, totalMs: result.totalMs, bytes: result.bytes });
        member.reason = undefined;
        return;
      } catch (error) {
        if (!jobs.isAlive(member)) return;
        member.reason = messageOf(error);
        log('run.stays', { pid, to, attempt, why: member.reason });
        if (!(error instanceof RefusedError)) return;
        // What keeps it (memory that it shares, a device that it maps) may be over later.
        if (error.code === 'stays-home') return this.#placeLater(member);
        if (error.code !== 'busy') return;
        await pause(attempt * PLACE_PAUSE_MS, new AbortController().signal);
      }
    }
  }

  onEvent(event: EngineEvent): void {
    const { jobs } = this.#options;
    switch (event.event) {
      case 'left':
        return jobs.isAway(event.pid);
      case 'returned': {
        const member = jobs.of(event.pid);
        if (member === undefined || wishedNode(member) === undefined) return;
        return this.#placeLater(member);
      }
      case 'used':
        return jobs.used(event.pid, event.cpuMs);
      case 'born': {
        const child = jobs.join(event.parent, event.pid);
        jobs.isAway(event.pid);
        if (child !== undefined) this.#seen.delete(child); // it is away already
        return;
      }
      case 'executed': {
        const { pid, parent } = event;
        const member = parent === undefined ? jobs.of(pid) : jobs.join(parent, pid);
        if (member === undefined) return;
        this.#seen.delete(member);
        void this.place(member);
      }
    }
  }

  /** Where one begins that may be anywhere from then on (`-b`, `-j`); each time it begins, as a child or as another program. */
  #beginsAt(member: Member): string | undefined {
    const { best, among, home, restrict } = member.job.options;
    if (home === true || member.held === true || restrict !== undefined) return undefined;
    if (among !== undefined && among.length > 0) return among[Math.floor(Math.random() * among.length)];
    return best === true ? this.#options.bestFor?.(member) : undefined;
  }

  #placeLater(member: Member): void {
    setTimeout(() => void this.place(member), this.#again.rest(member)).unref();
  }

  #watch(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#look()) this.#watch();
    }, LOOK_MS).unref();
  }

  /** @returns whether there is anything to look for */
  #look(): boolean {
    const { jobs } = this.#options;
    const old = this.#seen;
    this.#seen = new Set(jobs.newcomers().filter(({ job }) => isPlaced(job.options)));
    for (const member of old) void this.place(member);
    return jobs.any((job) => isPlaced(job.options));
  }
}

function isPlaced({ restrict, best, among }: Member['job']['options']): boolean {
  return restrict !== undefined || best === true || among !== undefined;
}

function wishedNode({ job, held }: Member): string | undefined {
  return job.options.home === true || held === true ? undefined : job.options.restrict;
}
