/**
 * mosd's connection to the engine of its node. The engine is a process of its own and outlives mosd: one that answers
 * is used, and only if none does is one started. An engine that ends is started again.
 */
import { spawn } from 'node:child_process';
import { existsSync, openSync, closeSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { NodeConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import { EngineClient } from '../wire/engine_client.ts';
import type { EngineEvent } from '../wire/engine_protocol.ts';
import { LineClient } from '../wire/line_client.ts';
import { LineClientError, RefusedError } from '../wire/line_errors.ts';
import { Backoff, pause } from './backoff.ts';
import type { Log } from './log.ts';

/** Milliseconds in which a connect to a local socket succeeds or never will. */
const CONNECT_MS = 2_000;
/** Milliseconds that an engine may take until it answers. */
const START_MS = 15_000;
const POLL_MS = 25;
const RETRY = { firstMs: 200, maxMs: 10_000 };

class EngineError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
  }
}

export interface EngineLinkOptions {
  config: NodeConfig;
  /** Handed to the engine that is started. */
  configFile: string;
  log: Log;
  /** Something happened to a process that is or was away. */
  onEvent?: (event: EngineEvent) => void;
}

export class EngineLink {
  readonly #options: EngineLinkOptions;
  readonly #socket: string;
  readonly #backoff = new Backoff(RETRY);
  readonly #stop = new AbortController();
  readonly #tried = Promise.withResolvers<void>();
  #client: EngineClient | undefined;
  #connection: LineClient | undefined;
  #pid: number | undefined;
  #why = 'it is being started';
  #nextEvent: number | undefined;

  constructor(options: EngineLinkOptions) {
    this.#options = options;
    this.#socket = join(options.config.runDir, 'engine.sock');
  }

  /** Settles when the engine has answered or could not be started for the first time. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** Why the engine does not answer; undefined while it does. */
  get down(): string | undefined {
    return this.#client === undefined ? this.#why : undefined;
  }

  /** The engine's process; undefined while it does not answer. */
  get pid(): number | undefined {
    return this.#client === undefined ? undefined : this.#pid;
  }

  /** The engine. @throws RefusedError if it does not answer */
  get engine(): EngineClient {
    if (this.#client !== undefined) return this.#client;
    throw new RefusedError(
      'failed',
      `Cannot reach the engine of this node: ${this.#why}; see ${join(this.#options.config.runDir, 'engine.log')}`,
    );
  }

  /** Connects, starts and watches until stopped. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#connectAndWatch();
      } catch (error) {
        this.#lose(messageOf(error));
      }
      this.#tried.resolve();
      await pause(this.#backoff.next(), this.#stop.signal);
    }
  }

  /** Leaves the engine as it is; it goes on without mosd. */
  stop(): void {
    this.#stop.abort();
    this.#connection?.[Symbol.dispose]();
  }

  async #connectAndWatch(): Promise<void> {
    using connection = await this.#connectOrStart();
    const engine = new EngineClient(connection);
    const hello = await engine.hello();
    const { name } = this.#options.config;
    if (hello.node !== name)
      throw new EngineError(`the engine at ${this.#socket} belongs to node "${hello.node}", not to "${name}"`);
    this.#connection = connection;
    this.#client = engine;
    this.#pid = hello.pid;
    this.#backoff.reset();
    this.#options.log('engine.up', { pid: hello.pid, version: hello.version });
    this.#tried.resolve();
    void this.#follow(engine);
    throw new EngineError(await connection.closed);
  }

  /** Passes on what the engine tells, until the connection ends. */
  async #follow(engine: EngineClient): Promise<void> {
    const { log, onEvent } = this.#options;
    try {
      while (this.#client === engine) {
        const { next, events } = await engine.events(this.#nextEvent);
        this.#nextEvent = next;
        for (const event of events) onEvent?.(event);
      }
    } catch (error) {
      if (this.#client === engine) log('engine.silent', { why: messageOf(error) });
    }
  }

  async #connectOrStart(): Promise<LineClient> {
    try {
      return await LineClient.connect(this.#socket, CONNECT_MS);
    } catch (error) {
      const absent = error instanceof LineClientError && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
      if (!absent) throw error;
      return this.#start();
    }
  }

  async #start(): Promise<LineClient> {
    const { config, configFile, log } = this.#options;
    const output = openSync(join(config.runDir, 'engine.log'), 'a', 0o600);
    const child = spawn(launcher(), ['--config', configFile], {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: '/',
    });
    closeSync(output);
    let ended: string | undefined;
    child.once('error', (error) => (ended = error.message));
    child.once('exit', (code, signal) => (ended = `it ended at once with ${signal ?? `exit code ${code}`}`));
    child.unref();
    log('engine.start', { pid: child.pid });
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline && !this.#stop.signal.aborted) {
      if (ended !== undefined) throw new EngineError(ended);
      await pause(POLL_MS, this.#stop.signal);
      const connection = await LineClient.connect(this.#socket, CONNECT_MS).catch(() => undefined);
      if (connection !== undefined) return connection;
    }
    throw new EngineError(`it did not answer within ${START_MS / 1000} s`);
  }

  #lose(why: string): void {
    if (this.#stop.signal.aborted) return;
    if (this.#why !== why || this.#client !== undefined) this.#options.log('engine.down', { why });
    this.#client = undefined;
    this.#connection = undefined;
    this.#why = why;
  }
}

/** bin/engine of this installation, whether this file is a source or part of a bundle. */
function launcher(): string {
  for (let folder = import.meta.dirname; folder !== '/'; folder = dirname(folder)) {
    const candidate = join(folder, 'bin', 'engine');
    if (existsSync(candidate)) return candidate;
  }
  throw new EngineError(`there is no bin/engine above ${import.meta.dirname}`);
}
