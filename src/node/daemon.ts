/** The composition of mosd: what it consists of, the order in which it starts, and how it ends. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { loadConfig, type NodeConfig } from '../lib/config.ts';
import { reasonOf } from '../lib/errors.ts';
import { commandSocket } from '../wire/command_protocol.ts';
import type { EngineEvent, GuestAddress } from '../wire/engine_protocol.ts';
import { BalanceCommands } from './balance_commands.ts';
import { Balancing } from './balancing.ts';
import { Board } from './board.ts';
import { ClusterNode } from './cluster_node.ts';
import { Commands } from './commands.ts';
import { CommandServer } from './command_server.ts';
import { EngineLink } from './engine_link.ts';
import { EventFeed } from './event_feed.ts';
import { lockInstance } from './instance_lock.ts';
import { NodeOrders } from './node_orders.ts';
import { JobCommands } from './job_commands.ts';
import { Jobs, type Member } from './jobs.ts';
import { createLog, type Log } from './log.ts';
import { LINK_TIMES, type LinkTimes } from './peer_link.ts';
import { Placement } from './placement.ts';
import { targetOf } from './targets.ts';

export interface DaemonOptions {
  configFile: string;
  log?: Log;
  /** Default: LINK_TIMES. */
  linkTimes?: LinkTimes;
  /** Called when a command asked mosd to end. */
  onStop?: () => void;
}

export class Daemon {
  readonly config: NodeConfig;
  readonly #log: Log;
  readonly #engine: EngineLink;
  readonly #cluster: ClusterNode;
  readonly #server: CommandServer;
  readonly #placement: Placement;
  readonly #jobs: Jobs;
  readonly #balancing: Balancing;
  #lock: Disposable | undefined;

  /** @throws ConfigError, IdentityError */
  constructor(options: DaemonOptions) {
    const { configFile, linkTimes = LINK_TIMES } = options;
    const config = loadConfig(configFile);
    const log = options.log ?? createLog(config.name);
    this.config = config;
    this.#log = log;
    const feed = new EventFeed();
    this.#engine = new EngineLink({ config, configFile, log, onEvent: (event) => this.#onEvent(event, feed) });
    const about = { node: config.name, version: version() };
    const cluster = new ClusterNode({
      config,
      about,
      log,
      times: linkTimes,
      tell: () => board.told(),
      onTold: (name, told) => board.hear(name, told),
      onAsk: (name, question) => this.#balancing.answer(name, question),
    });
    const { peers } = cluster;
    const board = new Board(config, peers);
    this.#cluster = cluster;
    const stop = (): void => {
      this.stop();
      options.onStop?.();
    };
    const jobs = new Jobs(join(config.runDir, 'jobs.json'));
    this.#jobs = jobs;
    const target = (node: string): Promise<GuestAddress | undefined> => targetOf(node, config, peers);
    const orders = new NodeOrders(join(config.runDir, 'orders.json'));
    this.#balancing = new Balancing({
      config,
      version: about.version,
      engine: this.#engine,
      jobs,
      board,
      peers,
      orders,
      log,
      targetOf: target,
    });
    const bestFor = (member: Member): string => this.#balancing.bestFor(member);
    this.#placement = new Placement({ engine: this.#engine, jobs, log, targetOf: target, bestFor });
    const common = { engine: this.#engine, jobs, placement: this.#placement, targetOf: target };
    const balancing = this.#balancing;
    const commands = new Commands({
      ...common,
      config,
      version: about.version,
      peers,
      board,
      feed,
      log,
      stop,
      movedByHand: (pid) => balancing.movedByHand(pid),
      leaving: () => balancing.leave(),
    });
    const jobCommands = new JobCommands({ ...common, node: config.name });
    const balanceCommands = new BalanceCommands({ engine: this.#engine, orders, balancing, log });
    const handlers = {
      ...commands.handlers,
      ...jobCommands.handlers,
      ...balanceCommands.handlers,
      ...cluster.handlers,
    };
    this.#server = new CommandServer({ path: commandSocket(config.runDir), handlers, log });
  }

  /** Settles when commands are answered. */
  async start(): Promise<void> {
    makeRunDirectory(this.config.runDir);
    this.#lock = lockInstance(join(this.config.runDir, 'mosd.pid'));
    this.#jobs.load();
    await this.#cluster.listen();
    void this.#engine.run();
    // Whoever waits for mosd to answer wants to use it: the socket comes last.
    await this.#engine.tried;
    await this.#server.listen();
    this.#placement.resume();
    this.#cluster.run();
    void this.#balancing.run();
    this.#log('start', { pid: process.pid, peers: this.#cluster.peers.all.length });
  }

  #onEvent(event: EngineEvent, feed: EventFeed): void {
    feed.publish({ event: event.event, pid: event.pid });
    this.#placement.onEvent(event);
    if (event.event === 'returned') this.#balancing.cameHome(event.pid);
  }

  /** Nobody is going to take up the jobs again. */
  async dissolve(): Promise<void> {
    await this.#jobs.dissolve();
  }

  /** The engine goes on, and so does everything that runs. */
  stop(): void {
    this.#server.stop();
    this.#cluster.stop();
    this.#balancing.stop();
    this.#placement.stop();
    this.#engine.stop();
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
    this.#log('stop', { pid: process.pid });
  }
}

function makeRunDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Error(`Cannot make the run directory ${directory}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Of the package that this file belongs to. */
function version(): string {
  for (let folder = import.meta.dirname; folder !== '/'; folder = dirname(folder)) {
    try {
      const text = readFileSync(join(folder, 'package.json'), 'utf8');
      return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
    } catch {
      continue;
    }
  }
  return 'unknown';
}
