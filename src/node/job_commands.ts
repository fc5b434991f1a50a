/** What mosd does with whole jobs: names their processes, moves them together, and adds up their CPU time. */
import * as v from 'valibot';

import type { CpuUse, JobMoveResult, JobRow } from '../wire/command_protocol.ts';
import type { GuestAddress } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import type { Caller, Handler } from './command_server.ts';
import type { EngineLink } from './engine_link.ts';
import type { Job, Jobs } from './jobs.ts';
import { findProcess, processFor } from './local_process.ts';
import type { Placement } from './placement.ts';
import { processList } from './process_list.ts';
import { check, explained, pidRequest } from './requests.ts';
import { tagSchema } from './run_options.ts';

/** Rounds over the processes of a job that moves: those that were busy are tried again, and so are those born meanwhile. */
const MAX_ROUNDS = 200;
/** Milliseconds between two rounds. */
const ROUND_MS = 50;
/**
 * Rounds in a row in which nothing moved and nothing was left from the round before. What is just being born elsewhere looks
 * as if it were at home for a moment; if it is, it is seen in the next round, too, or has ended.
 */
const QUIET_ROUNDS = 3;
/** Processes of a job that move at a time. */
const AT_A_TIME = 8;

const moveRequest = v.looseObject({ job: tagSchema, to: v.string() });

export interface JobCommandsOptions {
  node: string;
  engine: EngineLink;
  jobs: Jobs;
  placement: Placement;
  /** Where a node's engine is; undefined if it is this node. @throws RefusedError */
  targetOf: (node: string) => Promise<GuestAddress | undefined>;
}

export class JobCommands {
  readonly #options: JobCommandsOptions;

  constructor(options: JobCommandsOptions) {
    this.#options = options;
  }

  readonly handlers: Readonly<Record<string, Handler>> = {
    jobs: async (caller) => this.#list(caller),
    'migrate-job': (caller, request) => this.#migrate(caller, check(moveRequest, request)),
    time: (caller, request) => this.#time(caller, check(pidRequest, request).pid),
    'job-time': (caller, request) => this.#jobTime(caller, check(pidRequest, request).pid),
    attach: (caller, request) => this.#attach(caller, check(pidRequest, request).pid),
  };

  #list(caller: Caller): JobRow[] {
    return this.#options.jobs.list().filter(({ uid }) => caller.uid === 0 || uid === caller.uid);
  }

  async #migrate(caller: Caller, { job: tag, to }: v.InferOutput<typeof moveRequest>): Promise<JobMoveResult> {
    const { node, jobs, placement } = this.#options;
    const target = to === 'home' ? undefined : await this.#options.targetOf(to);
    const mine = jobs
      .all()
      .filter(({ uid, options }) => options.job === tag && (caller.uid === 0 || uid === caller.uid));
    if (mine.length === 0)
      throw new RefusedError('no-such-process', `Cannot migrate job ${tag} to ${to}: you have no such job; see mosps`);
    // What it starts from now on goes the same way.
    for (const job of mine) {
      const { restrict: _, home: __, ...rest } = job.options;
      job.options = target === undefined ? { ...rest, home: true } : { ...rest, restrict: to };
    }
    jobs.save();
    placement.resume();
    return this.#moveAll(mine, target, target?.name ?? node);
  }

  async #moveAll(mine: readonly Job[], target: GuestAddress | undefined, where: string): Promise<JobMoveResult> {
    const moved = new Set<number>();
    const stayed = new Map<number, string>();
    const given = new AbortController();
    let before = new Set<number>();
    for (let round = 0, quiet = 0; round < MAX_ROUNDS && quiet < QUIET_ROUNDS; round += 1) {
      const queue = (await this.#elsewhere(mine, where)).filter((pid) => !isFinal(stayed.get(pid)));
      quiet = queue.some((pid) => before.has(pid)) ? 0 : quiet + 1;
      before = new Set(queue);
      const work = async (): Promise<void> => {
        for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
          const why = await this.#moveOne(pid, target);
          if (why === undefined) {
            moved.add(pid);
            quiet = 0;
          }
          if (why === undefined || why === '') stayed.delete(pid);
          else stayed.set(pid, why);
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, work));
      if (quiet < QUIET_ROUNDS) await pause(ROUND_MS, given.signal);
    }
    const still = new Set(await this.#elsewhere(mine, where));
    const left = [...stayed]
      .filter(([pid]) => still.has(pid))
      .map(([pid, why]) => ({ pid, why: why.replace(BUSY, '') }));
    return { moved: [...moved], stayed: left };
  }

  /** Processes of the jobs that are not where they are to be. */
  async #elsewhere(mine: readonly Job[], where: string): Promise<number[]> {
    const { node, engine, jobs } = this.#options;
    const list = await processList(node, engine, jobs);
    const places = new Map(list.away.map((row) => [row.pid, row.where]));
    const pids = mine.flatMap(({ members }) => [...members.values()].filter((one) => jobs.isAlive(one)));
    return pids.map(({ pid }) => pid).filter((pid) => (places.get(pid) ?? node) !== where);
  }

  /** @returns why not; '' if it has ended or is there already */
  async #moveOne(pid: number, target: GuestAddress | undefined): Promise<string | undefined> {
    const { engine } = this.#options.engine;
    try {
      await (target === undefined ? engine.home(pid, () => {}) : engine.migrate({ pid, to: target }, () => {}));
      return undefined;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.code === 'no-such-process' || error.code === 'not-away') return '';
      return error.code === 'busy' ? BUSY + error.message : error.message;
    }
  }

  async #time(caller: Caller, pid: number): Promise<CpuUse> {
    const { node, engine, jobs } = this.#options;
    const found = processFor(pid, caller, `tell the time of process ${pid}`);
    const { away, returned } = await processList(node, engine, jobs);
    const row = [...away, ...returned].find((one) => one.pid === pid);
    return { homeMs: found.cpuMs, awayMs: row?.cpuAwayMs ?? 0 };
  }

  /** Of a job, named by the process that began it; it may have ended just now. */
  async #jobTime(caller: Caller, pid: number): Promise<CpuUse> {
    const { node, engine, jobs } = this.#options;
    // Also brings in what ended meanwhile: the engine tells it before it answers.
    const { away } = await processList(node, engine, jobs);
    const job = jobs.begunBy(pid);
    if (job === undefined || (caller.uid !== 0 && job.uid !== caller.uid))
      throw new RefusedError('no-such-process', `Cannot tell the time of job ${pid}: you have no such job`);
    const now = away.filter((row) => job.members.has(row.pid)).reduce((sum, row) => sum + (row.cpuAwayMs ?? 0), 0);
    const home = [...job.members.keys()].reduce((sum, one) => sum + (findProcess(one)?.cpuMs ?? 0), 0);
    return { homeMs: home, awayMs: job.cpuAwayMs + now };
  }

  /** Home, and to stay there: a debugger needs the process where its memory is. */
  async #attach(caller: Caller, pid: number): Promise<{ pid: number; from?: string }> {
    const { engine, jobs } = this.#options;
    const what = `bring process ${pid} home for a debugger`;
    processFor(pid, caller, what);
    const member = jobs.of(pid);
    if (member !== undefined) member.held = true;
    jobs.save();
    try {
      const { from } = await explained(
        engine.engine.home(pid, () => {}),
        what,
      );
      return { pid, from };
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'not-away') return { pid };
      throw error;
    }
  }
}

const BUSY = 'busy: ';

/** Whether to try again is of no use. */
function isFinal(why: string | undefined): boolean {
  return why !== undefined && !why.startsWith(BUSY);
}
