/** What mosd does for the commands: checks the request and the right to make it, and lets the engine do it. */
import * as v from 'valibot';

import type { InformationVector, KnownNode } from '../gossip/entry.ts';
import type { NodeConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import type { MosdHello, MosdList, NodeRow, RunOptions, RunResult } from '../wire/command_protocol.ts';
import type { GuestAddress, MigrationProgress, MoveResult } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { Caller, Handler } from './command_server.ts';
import type { EngineLink } from './engine_link.ts';
import type { EventFeed } from './event_feed.ts';
import type { Job, Jobs } from './jobs.ts';
import { processFor } from './local_process.ts';
import type { Log } from './log.ts';
import type { Peers } from './peers.ts';
import type { Placement } from './placement.ts';
import { processList } from './process_list.ts';
import { check, explained, pidRequest, pidSchema } from './requests.ts';
import { runOptionsSchema } from './run_options.ts';
import { settleHome } from './settle_home.ts';
import { unreachable } from './targets.ts';

export interface CommandsOptions {
  config: NodeConfig;
  version: string;
  engine: EngineLink;
  peers: Peers;
  jobs: Jobs;
  placement: Placement;
  /** Where a node's engine is; undefined if it is this node. @throws RefusedError */
  targetOf: (node: string) => Promise<GuestAddress | undefined>;
  board: InformationVector;
  feed: EventFeed;
  log: Log;
  /** Somebody has moved a process by command. */
  movedByHand?: (pid: number) => void;
  /** Everything is about to leave: nothing more may come, and nothing is balanced. */
  leaving?: () => void;
  /** Ends mosd, after the answer is out. */
  stop: () => void;
}

type OnProgress = (progress: MigrationProgress) => void;

const migrateRequest = v.looseObject({ pid: pidSchema, to: v.string(), wait: v.optional(v.boolean(), true) });
const runRequest = v.looseObject({ options: runOptionsSchema });

export class Commands {
  readonly #options: CommandsOptions;
  /** Registrations of mosrun that have not become programs yet. */
  readonly #starting = new Map<AbortSignal, Job>();

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  readonly handlers: Readonly<Record<string, Handler>> = {
    hello: async () => this.#hello(),
    nodes: async () => this.#nodes(),
    watch: (caller, _request, onProgress) => this.#options.feed.follow(caller.gone, onProgress),
    list: () => this.#list(),
    run: (caller, request) => this.#run(caller, check(runRequest, request).options),
    'cancel-run': async (caller) => this.#cancelRun(caller),
    migrate: (caller, request, onProgress) => this.#migrate(caller, check(migrateRequest, request), onProgress),
    release: async (caller, request) => {
      const { pid } = this.#processFor(caller, request, 'release the memory of');
      return this.#options.engine.engine.release(pid);
    },
    calls: async (caller, request) => {
      const { pid } = this.#processFor(caller, request, 'show the calls of');
      return this.#options.engine.engine.calls(pid);
    },
    shutdown: (caller) => this.#shutdown(caller),
  };

  #hello(): MosdHello {
    const { config, version, engine } = this.#options;
    return { node: config.name, pid: process.pid, version, engineDown: engine.down };
  }

  #nodes(): NodeRow[] {
    const { name, address, port, guestPort } = this.#options.config;
    const { down } = this.#options.engine;
    const self: NodeRow = {
      name,
      address,
      port,
      guestPort,
      state: down === undefined ? 'up' : 'down',
      self: true,
      why: down,
    };
    const rows = [self, ...this.#options.peers.all.map((peer) => peer.status())];
    return rows.map((row) => ({ ...row, ...measurementOf(this.#options.board.node(row.name)) }));
  }

  #list(): Promise<MosdList> {
    const { config, engine, jobs } = this.#options;
    return processList(config.name, engine, jobs);
  }

  async #run(caller: Caller, options: RunOptions): Promise<RunResult> {
    const { config, jobs } = this.#options;
    if (options.restrict !== undefined && !options.home) await this.#checkReachable(options.restrict);
    for (const name of [...(options.among ?? []), ...(options.nodes ?? []), ...(options.notNodes ?? [])])
      await this.#checkKnown(name);
    await jobs.settled(caller.pid);
    const isWithin = jobs.of(caller.pid) !== undefined;
    const job = caller.pid === 0 || caller.gone.aborted ? undefined : jobs.add(caller.pid, options);
    if (job === undefined)
      throw new RefusedError('no-such-process', 'Cannot run the program: mosd cannot see its process');
    // Within a job that is placed or balanced it may be on its way, and would be away as the program.
    if (isWithin && job.options.home) await settleHome(caller.pid, this.#options.engine, caller.gone);
    this.#starting.set(caller.gone, job);
    // The connection closes by itself when the process becomes the program: its descriptor is close-on-exec.
    const onGone = (): void => void this.#started(caller.gone);
    if (caller.gone.aborted) onGone();
    else caller.gone.addEventListener('abort', onGone);
    return { node: config.name, mark: job.id };
  }

  #cancelRun(caller: Caller): void {
    const job = this.#starting.get(caller.gone);
    this.#starting.delete(caller.gone);
    if (job !== undefined) this.#options.jobs.remove(job);
  }

  /** mosrun has become the program. */
  async #started(gone: AbortSignal): Promise<void> {
    const job = this.#starting.get(gone);
    this.#starting.delete(gone);
    const member = job?.members.get(job.pid);
    if (member !== undefined) await this.#options.placement.place(member);
  }

  async #migrate(
    caller: Caller,
    request: v.InferOutput<typeof migrateRequest>,
    onProgress: OnProgress,
  ): Promise<unknown> {
    const { pid, to, wait } = request;
    const what = `migrate process ${pid} to ${to}`;
    // Not everybody may learn whether a process exists; but a mistyped node is said first, it is the likelier mistake.
    const target = to === 'home' ? undefined : await this.#options.targetOf(to);
    processFor(pid, caller, what);
    this.#checkMovable(pid, what);
    const member = this.#options.jobs.of(pid);
    if (member?.job.options.native === true)
      throw new RefusedError('stays-home', `Cannot ${what}: it runs natively (mosnative)`);
    if (member !== undefined && target !== undefined) member.held = false;
    const move = this.#move(pid, target, onProgress).finally(() => this.#options.movedByHand?.(pid));
    if (wait) return explained(move, what);
    move.catch((error: unknown) => this.#options.log('move.failed', { pid, to, why: messageOf(error) }));
    return undefined;
  }

  #move(pid: number, target: GuestAddress | undefined, onProgress: OnProgress): Promise<MoveResult> {
    const { engine } = this.#options.engine;
    return target === undefined ? engine.home(pid, onProgress) : engine.migrate({ pid, to: target }, onProgress);
  }

  /** What moves the others cannot be moved. */
  #checkMovable(pid: number, what: string): void {
    const own = new Map([
      [process.pid, 'mosd'],
      [this.#options.engine.pid ?? 0, 'the engine'],
    ]).get(pid);
    if (own !== undefined) throw new RefusedError('stays-home', `Cannot ${what}: it is ${own} of this node`);
  }

  #processFor(caller: Caller, request: unknown, verb: string): { pid: number } {
    const { pid } = check(pidRequest, request);
    return processFor(pid, caller, `${verb} process ${pid}`);
  }

  /** A node that is down may come back; one that nobody knows is a mistake. */
  async #checkKnown(name: string): Promise<void> {
    try {
      await this.#options.targetOf(name);
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'no-such-node') throw error;
    }
  }

  /** The engine of the node must answer, too: mosrun's caller wants to know before the program runs. */
  async #checkReachable(name: string): Promise<void> {
    const target = await this.#options.targetOf(name);
    if (target === undefined) return;
    try {
      await this.#options.engine.engine.ping(target);
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'failed') throw error;
      throw unreachable(name, messageOf(error));
    }
  }

  async #shutdown(caller: Caller): Promise<void> {
    const { engine, jobs, stop } = this.#options;
    if (caller.uid !== 0 && caller.uid !== process.geteuid?.()) {
      throw new RefusedError('not-permitted', 'Cannot stop mosd: only root and the user who started it may do that');
    }
    this.#options.leaving?.();
    if (engine.down === undefined) await engine.engine.shutdown();
    await jobs.dissolve();
    setImmediate(stop);
  }
}

function measurementOf(known: KnownNode | undefined): Pick<NodeRow, 'ageMs' | 'measured'> {
  if (known?.entry === undefined) return {};
  const { cpuFeatures: _, ...measured } = known.entry;
  return { ageMs: Math.round(known.ageMs), measured };
}
