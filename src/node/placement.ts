/**
 * Puts the processes of placed jobs (`mosrun -r NODE`) on their node: the first one when it has become the program, each
 * other one when it appears. Those that are born away or execute a program are told by the engine; those that are born
 * at home, where nothing is traced, are looked for among the children of the job's processes.
 *
 * Promise: never throws, for nobody is left to be told; why a process stays is shown by `mosps`.
 */
import { messageOf } from '../lib/errors.ts';
import { childrenOf } from '../sys/procfs.ts';
import type { EngineEvent, GuestAddress } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import type { EngineLink } from './engine_link.ts';
import type { Job, Jobs } from './jobs.ts';
import type { Log } from './log.ts';

/** Attempts to move a process while its node says that it is busy. */
const PLACE_ATTEMPTS = 5;
/** Milliseconds between them; grows by as much each time. */
const PLACE_PAUSE_MS = 100;
/**
 * Milliseconds between two looks for children at home. A child that is there at two looks is moved; what is over sooner
 * is cheaper at home. Smaller: longer away; larger: less work for mosd.
 */
const LOOK_MS = 50;

export interface PlacementOptions {
  engine: EngineLink;
  jobs: Jobs;
  log: Log;
  /** Where a node's engine is; undefined if it is this node. @throws RefusedError */
  targetOf: (node: string) => Promise<GuestAddress | undefined>;
}

export class Placement {
  readonly #options: PlacementOptions;
  /** Children of placed jobs that were seen at home once. */
  #seen = new Map<number, Job>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Moves a process of a job to where its user wants it. */
  async place(job: Job): Promise<void> {
    const { engine, jobs, log, targetOf } = this.#options;
    const { pid } = job;
    const to = wishedNode(job);
    if (to === undefined) return;
    this.#watch();
    for (let attempt = 1; attempt <= PLACE_ATTEMPTS && jobs.isAlive(job); attempt += 1) {
      try {
        const target = await targetOf(to);
        if (target === undefined) return;
        const result = await engine.engine.migrate({ pid, to: target }, () => {});
        log('run.placed', { pid, to, freezeMs: result.freezeMs, totalMs: result.totalMs, bytes: result.bytes });
        job.reason = undefined;
        return;
      } catch (error) {
        if (!jobs.isAlive(job)) return;
        job.reason = messageOf(error);
        log('run.stays', { pid, to, attempt, why: job.reason });
        if (!(error instanceof RefusedError) || error.code !== 'busy') return;
        await pause(attempt * PLACE_PAUSE_MS, new AbortController().signal);
      }
    }
  }

  onEvent(event: EngineEvent): void {
    const { jobs } = this.#options;
    if (event.event === 'born') {
      jobs.join(event.parent, event.pid);
      this.#seen.delete(event.pid); // it is away already
      return;
    }
    const { pid, parent } = event;
    const job = jobs.get(pid) ?? (parent === undefined ? undefined : jobs.join(parent, pid));
    this.#seen.delete(pid);
    if (job !== undefined) void this.place(job);
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
    const placed = jobs.all().filter((job) => wishedNode(job) !== undefined);
    const old = this.#seen;
    this.#seen = new Map();
    for (const job of placed) {
      for (const pid of childrenOf(job.pid)) {
        if (jobs.get(pid) !== undefined) continue;
        const child = jobs.join(job.pid, pid);
        if (child !== undefined) this.#seen.set(pid, child);
      }
    }
    for (const job of old.values()) void this.place(job);
    return placed.length > 0;
  }
}

function wishedNode({ options }: Job): string | undefined {
  return options.home === true ? undefined : options.restrict;
}
