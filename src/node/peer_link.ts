/**
 * The link that this mosd dials to one peer and keeps: it says whether the peer is up, how far away it is, and if not
 * up, why. Over it this node asks the peer; the peer dials a link of its own the other way, and each side believes
 * only what it has seen itself.
 */
import { messageOf } from '../lib/errors.ts';
import type { PeerConfig } from '../lib/places.ts';
import type { NodeRow } from '../wire/command_protocol.ts';
import type { Identity } from '../wire/identity/identity_store.ts';
import type { PeerIdentity } from '../wire/identity/peer_identity.ts';
import { dialNode } from '../wire/identity/secure_link.ts';
import { LineClient } from '../wire/line_client.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { Backoff, pause } from './backoff.ts';
import type { Log } from './log.ts';

/** Milliseconds; tests shorten them. */
export interface LinkTimes {
  /** To connect, with the handshake. */
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

export interface PeerLinkOptions {
  peer: PeerConfig;
  /** What this node shows now. */
  identity: () => Identity;
  log: Log;
  /** The link is there; every time it is. */
  onUp?: (link: PeerLink) => void;
  /** What the peer tells of itself with each answer to a ping. */
  onTold?: (peer: string, told: unknown) => void;
  times?: LinkTimes;
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
  #client: LineClient | undefined;
  #state: NodeRow['state'] = 'connecting';
  #why: string | undefined;
  #rttMs: number | undefined;

  constructor(options: PeerLinkOptions) {
    this.peer = options.peer;
    this.#options = options;
    this.#times = options.times ?? LINK_TIMES;
    this.#backoff = new Backoff({ firstMs: this.#times.retryMs, maxMs: this.#times.maxRetryMs });
  }

  /** Settles when it is known for the first time whether the peer is up; within a deadline of a connect and a ping. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** What `nodes` shows of the peer. */
  status(): NodeRow {
    const { name, address, port, guestPort } = this.peer;
    const up = this.#state === 'up';
    const seen = { rttMs: up ? this.#rttMs : undefined, why: up ? undefined : this.#why };
    return { name, address, port, guestPort, state: this.#state, ...seen };
  }

  /** @returns what the peer's balancer says to a question; undefined if it says nothing in time, or is not linked */
  ask(question: object, timeoutMs: number): Promise<unknown> {
    return this.request('ask', { question }, timeoutMs).catch(() => undefined);
  }

  /**
   * Has the peer do something (peer_handlers.ts).
   * @param timeoutMs Milliseconds. Default: as long as it may be silent.
   * @throws RefusedError, LineClientError
   */
  request(op: string, parameters: object = {}, timeoutMs = this.#times.silenceMs): Promise<unknown> {
    const client = this.#client;
    if (client !== undefined) return client.request(op, parameters, { timeoutMs });
    return Promise.reject(new RefusedError('node-unreachable', this.#why ?? 'it has not answered yet'));
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
    this.#client?.[Symbol.dispose]();
  }

  async #connectAndKeep(): Promise<void> {
    const { peer, identity } = this.#options;
    const { socket, peer: found } = await dialNode(identity(), {
      address: peer.address,
      port: peer.port,
      purpose: 'control',
      timeoutMs: this.#times.connectMs,
      stop: this.#stop.signal,
    });
    using client = new LineClient(socket);
    if (found.node !== peer.name)
      throw new PeerError(`the node at ${peer.address} port ${peer.port} calls itself "${found.node}"`);
    try {
      await this.#keep(client, found);
    } finally {
      this.#client = undefined;
    }
  }

  /** Pings until the link is lost; always ends with an error that says how. */
  async #keep(client: LineClient, found: PeerIdentity): Promise<never> {
    const { pingMs, silenceMs } = this.#times;
    for (;;) {
      const sent = performance.now();
      let told: unknown;
      try {
        told = await client.request('ping', {}, { timeoutMs: silenceMs });
      } catch (error) {
        if (this.#stop.signal.aborted) throw new PeerError('this node stops');
        if (performance.now() - sent >= silenceMs) throw new PeerError(`it has been silent for ${silenceMs / 1000} s`);
        throw error;
      }
      this.#goUp(client, performance.now() - sent);
      if (told !== null) this.#options.onTold?.(this.peer.name, told);
      await Promise.race([pause(pingMs, this.#stop.signal), client.closed]);
      // A new certificate is shown when the link is made anew.
      if (found.expires <= Date.now()) throw new PeerError('the certificate that it showed has expired');
    }
  }

  #goUp(client: LineClient, rttMs: number): void {
    this.#rttMs = rttMs;
    this.#backoff.reset();
    this.#client = client;
    this.#why = undefined;
    if (this.#state === 'up') return;
    this.#state = 'up';
    this.#options.log('link.up', { peer: this.peer.name });
    this.#tried.resolve();
    this.#options.onUp?.(this);
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
