/**
 * The socket on which commands ask. Every local user may connect; who they are the kernel tells.
 *
 * Promise: nobody can crowd out the others: connections, the length of a line, requests under way and unread
 * answers are limited for each, and who breaks the form is told so and closed.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

import { messageOf, reasonOf } from '../lib/errors.ts';
import { limitLog, type Log } from './log.ts';
import { credentialsOf, type Credentials } from './peer_process.ts';
import { closeWith, serveRequests, type Handler as AnyHandler, type Handlers } from './request_stream.ts';

const MAX_CONNECTIONS = 1024;
/** Of one user; root is not limited but by the whole. */
const MAX_CONNECTIONS_OF_USER = 64;
const FAILURES_LOGGED_PER_MINUTE = 30;

/** What is known of a client while it is connected. */
export interface Caller extends Credentials {
  /** Aborted when the connection has ended. */
  readonly gone: AbortSignal;
}

export type Handler = AnyHandler<Caller>;

export interface CommandServerOptions {
  path: string;
  handlers: Handlers<Caller>;
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
    const { handlers } = this.#options;
    serveRequests(socket, { ...credentials, gone: gone.signal }, { handlers, log: this.#log });
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
}
