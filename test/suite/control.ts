/**
 * A connection to a node's command socket, from outside of its host: one JSON object a line each way.
 *
 * The suites watch and steer through it rather than through the commands, because a command is a process inside the
 * host and would use CPU time that is charged to that host.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Host } from '../bed/host.ts';

/** A process as `mosps --json` and the command socket show it. */
export interface ProcessRow {
  readonly pid: number;
  readonly comm: string;
  readonly where: string;
  readonly home: string;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly moves: number;
  readonly forwarded: number;
  readonly forwardedPerSecond: number;
  readonly state: string;
  readonly reason?: string;
}

export interface ProcessList {
  readonly away: readonly ProcessRow[];
  readonly guests: readonly ProcessRow[];
  readonly returned: readonly ProcessRow[];
}

export interface MigrationResult {
  readonly freezeMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

export interface CallReport {
  readonly calls: readonly { readonly name: string; readonly count: number; readonly micros: number }[];
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
}

/** The node refused, and says why. */
export class RefusedError extends Error {
  readonly code: string;
  constructor(what: string, code: string, reason: string) {
    super(`Cannot ${what}: ${reason}`);
    this.name = 'RefusedError';
    this.code = code;
  }
}

/** The node could not be asked: no daemon, connection lost, or no answer in time. */
export class ControlError extends Error {
  constructor(what: string, reason: string, options?: ErrorOptions) {
    super(`Cannot ${what}: ${reason}`, options);
    this.name = 'ControlError';
  }
}

interface Pending {
  readonly what: string;
  readonly timer: NodeJS.Timeout;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

const dialTimeoutMs = 5_000;
const askTimeoutMs = 10_000;
/** Half a gigabyte over a slow link takes seconds; a migration that takes a minute hangs. */
const migrateTimeoutMs = 60_000;

export class Control implements Disposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #lost: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('close', () => this.#lose('the connection was closed'));
    createInterface({ input: socket }).on('line', (line) => this.#answer(line));
  }

  /** Dials the daemon in `host`: a socket file is reachable through the root of the host's first process. */
  static async connect(host: Host): Promise<Control> {
    const socket = connect(`/proc/${host.pid1}/root/run/mosix/mosd.sock`);
    const what = `reach mosd on ${host.name}`;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new ControlError(what, 'no answer')), dialTimeoutMs);
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.once('error', (error) => {
        clearTimeout(timer);
        reject(new ControlError(what, error.message, { cause: error }));
      });
    });
    return new Control(socket);
  }

  list(): Promise<ProcessList> {
    return this.#ask('list processes', { op: 'list' }, askTimeoutMs) as Promise<ProcessList>;
  }

  calls(pid: number): Promise<CallReport> {
    return this.#ask(`read the calls of process ${pid}`, { op: 'calls', pid }, askTimeoutMs) as Promise<CallReport>;
  }

  migrate(pid: number, to: string): Promise<MigrationResult> {
    return this.#ask(
      `migrate process ${pid} to ${to}`,
      { op: 'migrate', pid, to },
      migrateTimeoutMs,
    ) as Promise<MigrationResult>;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#lose('the connection was closed here');
  }

  #ask(what: string, request: Readonly<Record<string, unknown>>, timeoutMs: number): Promise<unknown> {
    if (this.#lost !== undefined) return Promise.reject(new ControlError(what, this.#lost));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new ControlError(what, `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(id, { what, timer, resolve, reject });
      this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  #answer(line: string): void {
    const message = JSON.parse(line) as {
      id: number;
      ok?: boolean;
      result?: unknown;
      error?: { code: string; message: string };
    };
    const pending = this.#pending.get(message.id);
    if (pending === undefined || message.ok === undefined) return; // too late, or progress
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (message.ok) pending.resolve(message.result);
    else
      pending.reject(
        new RefusedError(pending.what, message.error?.code ?? 'failed', message.error?.message ?? 'no reason given'),
      );
  }

  #lose(reason: string): void {
    this.#lost ??= reason;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(new ControlError(pending.what, this.#lost));
    }
    this.#pending.clear();
  }
}
