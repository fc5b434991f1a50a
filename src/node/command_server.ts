/**
 * The socket on which commands ask. Every local user may connect; who they are the kernel tells.
 *
 * Promise: nobody can crowd out the others: connections, the length of a line, requests under way and unread
 * answers are limited for each, and who breaks the form is told so and closed.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

import { messageOf, reasonOf } from '../lib/errors.ts';
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import type { ErrorCode } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { limitLog, type Log } from './log.ts';
import { credentialsOf, type Credentials } from './peer_process.ts';

const MAX_CONNECTIONS = 1024;
/** Of one user; root is not limited but by the whole. */
const MAX_CONNECTIONS_OF_USER = 64;
/** Requests under way on one connection. */
const MAX_REQUESTS = 16;
/** Bytes of answers that a client has not read: above the first no progress is sent, above the second it is closed. */
const MAX_UNSENT_FOR_PROGRESS = 64 * 1024;
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
const FAILURES_LOGGED_PER_MINUTE = 30;

/** What is known of a client while it is connected. */
export interface Caller extends Credentials {
  /** Aborted when the connection has ended. */
  readonly gone: AbortSignal;
}

/** @returns whether it was sent: a client that does not read gets none, until it has read */
export type OnProgress = (progress: unknown) => boolean;

export type Handler = (caller: Caller, request: unknown, onProgress: OnProgress) => Promise<unknown>;

export interface CommandServerOptions {
  path: string;
  handlers: Readonly<Record<string, Handler>>;
  log: Log;
}

export class CommandServer {
  readonly #options: CommandServerOptions;
  readonly #log: Log;
  readonly #server: Server;
  readonly #connections = new Map<Socket, number>();

  constructor(options: CommandServerOptions) {
    this.#options = options;
    this.#log = limitLog(options.log, FAILURES_LOGGED_PER_MINUTE);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.on('error', (error) => this.#log('command.accept-failed', { why: error.message }));
  }

  /** The caller holds the lock of this node, so that a socket file that is there is a dead one. */
  listen(): Promise<void> {
    const { path } = this.#options;
    rmSync(path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new Error(`Cannot listen on ${path}: ${reasonOf(error)}`, { cause: error })),
      );
      this.#server.listen(path, () => {
        chmodSync(path, 0o666);
        resolve();
      });
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const credentials = this.#identify(socket);
    if (credentials === undefined) return;
    this.#connections.set(socket, credentials.uid);
    const gone = new AbortController();
    socket.once('close', () => {
      this.#connections.delete(socket);
      gone.abort();
    });
    this.#serve(socket, { ...credentials, gone: gone.signal });
  }

  #identify(socket: Socket): Credentials | undefined {
    try {
      const credentials = credentialsOf(socket);
      const own = [...this.#connections.values()].filter((uid) => uid === credentials.uid).length;
      const full =
        this.#connections.size >= MAX_CONNECTIONS || (credentials.uid !== 0 && own >= MAX_CONNECTIONS_OF_USER);
      if (!full) return credentials;
      closeWith(socket, 'busy', 'Cannot accept the connection: there are too many already');
    } catch (error) {
      this.#log('command.refused', { why: messageOf(error) });
      socket.destroy();
    }
    return undefined;
  }

  #serve(socket: Socket, caller: Caller): void {
    const reader = new JsonLineReader();
    let underWay = 0;
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const message of reader.feed(bytes)) {
          const request = asRequest(message);
          if (underWay >= MAX_REQUESTS)
            throw new RefusedError('busy', `Cannot take more than ${MAX_REQUESTS} requests at once`);
          underWay += 1;
          void this.#answer(socket, caller, request).finally(() => (underWay -= 1));
        }
      } catch (error) {
        closeWith(socket, error instanceof RefusedError ? error.code : 'bad-request', messageOf(error));
      }
    });
  }

  /** Never rejects. */
  async #answer(socket: Socket, caller: Caller, request: Request): Promise<void> {
    const { id, op } = request;
    const onProgress = (progress: unknown): boolean => {
      if (!socket.writable || socket.writableLength >= MAX_UNSENT_FOR_PROGRESS) return false;
      socket.write(jsonLine({ id, progress }));
      return true;
    };
    try {
      const handler = Object.hasOwn(this.#options.handlers, op) ? this.#options.handlers[op] : undefined;
      if (handler === undefined)
        throw new RefusedError('bad-request', `Cannot do ${JSON.stringify(op)}: there is no such request`);
      const result = await handler(caller, request, onProgress);
      send(socket, { id, ok: true, result });
    } catch (error) {
      if (!(error instanceof RefusedError)) this.#log('command.failed', { op, why: messageOf(error) });
      const code: ErrorCode = error instanceof RefusedError ? error.code : 'failed';
      send(socket, { id, ok: false, error: { code, message: messageOf(error) } });
    }
  }
}

interface Request {
  id: number | string;
  op: string;
}

function asRequest(message: unknown): Request {
  if (typeof message !== 'object' || message === null || !('id' in message) || !('op' in message)) {
    throw new RefusedError('bad-request', 'Cannot understand the request: it needs "id" and "op"');
  }
  const { id, op } = message;
  if ((typeof id !== 'number' && typeof id !== 'string') || typeof op !== 'string') {
    throw new RefusedError(
      'bad-request',
      'Cannot understand the request: "id" must be a number or a text, "op" a text',
    );
  }
  return { ...message, id, op };
}

function send(socket: Socket, answer: unknown): void {
  if (!socket.writable) return;
  if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
  else socket.write(jsonLine(answer));
}

/** Says what is wrong with the whole connection and ends it. */
function closeWith(socket: Socket, code: ErrorCode, message: string): void {
  if (!socket.writable) return;
  // What else the client has sent is not read, and it is not waited for.
  socket.pause();
  socket.end(jsonLine({ id: null, ok: false, error: { code, message } }), () => socket.destroy());
}
