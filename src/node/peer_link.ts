/**
 * The link that this mosd dials to one peer and keeps: it says whether the peer is up, how far away it is, and if not
 * up, why. The peer dials a link of its own the other way; each side believes only what it has seen itself.
 */
import { connect, type Socket } from 'node:net';

import { messageOf, reasonOf } from '../lib/errors.ts';
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import type { PeerConfig } from '../lib/places.ts';
import { authenticate } from '../wire/authenticate.ts';
import type { NodeRow } from '../wire/command_protocol.ts';
import { Handshake } from '../wire/handshake.ts';
import { Backoff, pause } from './backoff.ts';
import type { Log } from './log.ts';

/** Milliseconds; tests shorten them. */
export interface LinkTimes {
  /** To connect, and again for the handshake. */
  connectMs: number;
  /** Between two pings. Larger: less traffic; smaller: a loss is seen sooner. */
  pingMs: number;
  /** Without a word from the peer after which it counts as down; three pings, so that one lost packet is no loss. */
  silenceMs: number;
  /** Between attempts, first and at most. */
  retryMs: number;
  maxRetryMs: number;
}

export const LINK_TIMES: LinkTimes = {
  connectMs: 3_000,
  pingMs: 1_000,
  silenceMs: 3_000,
  retryMs: 100,
  maxRetryMs: 5_000,
};

/** Questions to one peer that wait for an answer. */
const MAX_QUESTIONS = 64;

export interface PeerLinkOptions {
  self: PeerConfig;
  peer: PeerConfig;
  key: Uint8Array;
  log: Log;
  times?: LinkTimes;
  /** What the peer tells of itself with each answer to a ping. */
  onTold?: (peer: string, told: unknown) => void;
}

/** The peer cannot be used, and why. */
class PeerError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'PeerError';
  }
}

export class PeerLink {
  readonly peer: PeerConfig;
  readonly #options: PeerLinkOptions;
  readonly #times: LinkTimes;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #tried = Promise.withResolvers<void>();
  #waiting = new AbortController();
  #state: NodeRow['state'] = 'connecting';
  #why: string | undefined;
  #rttMs: number | undefined;
  readonly #questions = new Map<number, (answer: unknown) => void>();
  #nextQuestion = 1;
  #socket: Socket | undefined;

  constructor(options: PeerLinkOptions) {
    this.peer = options.peer;
    this.#options = options;
    this.#times = options.times ?? LINK_TIMES;
    this.#backoff = new Backoff({ firstMs: this.#times.retryMs, maxMs: this.#times.maxRetryMs });
  }

  /** Settles when it is known for the first time whether the peer is up; within two deadlines of a connect. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** What `nodes` shows of the peer. */
  status(): NodeRow {
    const up = this.#state === 'up';
    return { ...this.peer, state: this.#state, rttMs: up ? this.#rttMs : undefined, why: up ? undefined : this.#why };
  }

  /** @returns what the peer says to it; undefined if it says nothing in time, or is not linked */
  async ask(question: object, timeoutMs: number): Promise<unknown> {
    const socket = this.#socket;
    if (socket === undefined || this.#questions.size >= MAX_QUESTIONS) return undefined;
    const id = this.#nextQuestion++;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    this.#questions.set(id, resolve);
    socket.write(jsonLine({ ask: id, question }));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(id);
    }
  }

  /** Dials, keeps and dials again until stopped. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#connectAndKeep();
      } catch (error) {
        this.#goDown(messageOf(error));
      }
      this.#waiting = new AbortController();
      await pause(this.#backoff.next(), AbortSignal.any([this.#stop.signal, this.#waiting.signal]));
    }
  }

  /** The peer has just dialled us, so it is worth trying at once. */
  wake(): void {
    this.#waiting.abort();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #connectAndKeep(): Promise<void> {
    const { peer, self, key } = this.#options;
    const socket = await dial(peer, this.#times.connectMs, this.#stop.signal);
    try {
      const handshake = new Handshake({ role: 'client', purpose: 'control', name: self.name, key });
      const { peer: found, rest } = await authenticate(socket, handshake, this.#times.connectMs);
      if (found.name !== peer.name)
        throw new PeerError(`the node at ${peer.address} port ${peer.port} calls itself "${found.name}"`);
      await this.#keep(socket, rest);
    } finally {
      socket.destroy();
    }
  }

  /** Pings until the link is lost; always ends with an error that says how. */
  #keep(socket: Socket, rest: Uint8Array): Promise<never> {
    const { pingMs, silenceMs } = this.#times;
    const reader = new JsonLineReader();
    let heard = performance.now();
    return new Promise((_, reject) => {
      const ping = (): void => {
        if (performance.now() - heard > silenceMs) finish(`it has been silent for ${silenceMs / 1000} s`);
        else socket.write(jsonLine({ ping: performance.now() }));
      };
      const onData = (bytes: Uint8Array): void => {
        try {
          heard = performance.now();
          for (const message of reader.feed(bytes)) this.#receive(message);
        } catch (error) {
          finish(messageOf(error));
        }
      };
      const finish = (reason: string): void => {
        clearInterval(timer);
        this.#socket = undefined;
        for (const giveUp of this.#questions.values()) giveUp(undefined);
        this.#stop.signal.removeEventListener('abort', onStop);
        socket.destroy();
        reject(new PeerError(reason));
      };
      const onStop = (): void => finish('this node stops');
      const timer = setInterval(ping, pingMs);
      this.#stop.signal.addEventListener('abort', onStop);
      socket.on('data', onData);
      socket.on('error', (error) => finish(reasonOf(error)));
      socket.on('close', () => finish('it closed the connection'));
      this.#socket = socket;
      onData(rest);
      socket.resume();
      ping();
    });
  }

  #receive(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    if ('refused' in message) throw new PeerError(`it refuses this node: ${String(message.refused)}`);
    if ('answer' in message && typeof message.answer === 'number' && 'result' in message)
      this.#questions.get(message.answer)?.(message.result);
    if (!('pong' in message) || typeof message.pong !== 'number') return;
    this.#rttMs = performance.now() - message.pong;
    if ('told' in message) this.#options.onTold?.(this.peer.name, message.told);
    this.#backoff.reset();
    if (this.#state !== 'up') this.#options.log('link.up', { peer: this.peer.name });
    this.#state = 'up';
    this.#why = undefined;
    this.#tried.resolve();
  }

  #goDown(reason: string): void {
    this.#tried.resolve();
    if (this.#stop.signal.aborted) return;
    if (this.#state !== 'down' || this.#why !== reason)
      this.#options.log('link.down', { peer: this.peer.name, why: reason });
    this.#state = 'down';
    this.#why = reason;
  }
}

function dial(peer: PeerConfig, timeoutMs: number, stop: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: peer.address, port: peer.port, noDelay: true });
    const finish = (reason: string | undefined): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
      if (reason === undefined) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new PeerError(reason));
    };
    const onStop = (): void => finish('this node stops');
    const timer = setTimeout(() => finish(`${peer.address} port ${peer.port} does not answer`), timeoutMs);
    stop.addEventListener('abort', onStop);
    socket.once('error', (error) => finish(`${peer.address} port ${peer.port}: ${reasonOf(error)}`));
    socket.once('connect', () => finish(undefined));
  });
}
