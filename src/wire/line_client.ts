/**
 * Requests and answers as JSON lines on a stream, from the asking side: for the commands and for mosd.
 *
 * Promise: every request ends: with its answer, with the other side's refusal, when the connection is lost, or when
 * neither progress nor answer came in time.
 */
import { connect, type Socket } from 'node:net';

import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import { MAX_ANSWER_BYTES } from './command_protocol.ts';
import { LineClientError, refusalOf } from './line_errors.ts';

export interface RequestOptions {
  /** Milliseconds without any sign of life after which the request fails. Default: 10 000. */
  timeoutMs?: number;
  onProgress?: (progress: unknown) => void;
}

interface Pending {
  timer: NodeJS.Timeout;
  options: RequestOptions;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

const DEFAULT_TIMEOUT_MS = 10_000;

export class LineClient implements Disposable {
  /** Settles when the connection is lost, with the reason. */
  readonly closed: Promise<string>;
  readonly #socket: Socket;
  readonly #reader = new JsonLineReader(MAX_ANSWER_BYTES);
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #lost: string | undefined;

  /** @param socket Connected. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', (error) => this.#lose(error.message));
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#lose('the connection was closed');
        resolve(this.#lost ?? '');
      });
    });
  }

  /**
   * Connects to a Unix socket.
   * @throws LineClientError
   */
  static async connect(path: string, timeoutMs: number): Promise<LineClient> {
    const socket = connect(path);
    try {
      await connected(socket, timeoutMs);
    } catch (error) {
      socket.destroy();
      const { code, message } = error as NodeJS.ErrnoException;
      throw new LineClientError(`Cannot connect to ${path}: ${message}`, code, { cause: error });
    }
    return new LineClient(socket);
  }

  /** @throws RefusedError, LineClientError */
  request(op: string, parameters: object = {}, options: RequestOptions = {}): Promise<unknown> {
    if (this.#lost !== undefined) return Promise.reject(new LineClientError(this.#lost));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      const timer = setTimeout(() => this.#expire(id, timeoutMs), timeoutMs);
      this.#pending.set(id, { timer, options, resolve, reject });
      this.#socket.write(jsonLine({ ...parameters, id, op }));
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#lose('the connection was closed here');
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const message of this.#reader.feed(bytes)) this.#handle(message);
    } catch (error) {
      this.#lose((error as Error).message);
      this.#socket.destroy();
    }
  }

  #handle(message: unknown): void {
    const { id, ok, result, error, progress } = (message ?? {}) as Record<string, unknown>;
    if (id === null && ok === false) {
      // Said of the whole connection: too many of them, or nothing that could be understood.
      this.#lose(refusalOf(error).message);
      return;
    }
    const pending = this.#pending.get(id as number);
    if (pending === undefined) return; // it came too late
    pending.timer.refresh();
    if (progress !== undefined) {
      pending.options.onProgress?.(progress);
      return;
    }
    this.#take(id as number);
    if (ok === true) pending.resolve(result);
    else pending.reject(refusalOf(error));
  }

  #expire(id: number, timeoutMs: number): void {
    this.#take(id)?.reject(new LineClientError(`there was no answer within ${timeoutMs / 1000} s`));
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    clearTimeout(pending?.timer);
    this.#pending.delete(id);
    return pending;
  }

  #lose(reason: string): void {
    this.#lost ??= reason;
    for (const id of this.#pending.keys()) this.#take(id)?.reject(new LineClientError(this.#lost));
  }
}

function connected(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
