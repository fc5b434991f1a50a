/**
 * Answers other nodes, and machines that want to become one.
 *
 * Promise: who shows no certificate of this cluster may present a token and ask the time, within a deadline, and a few at
 * a time; who shows one is asked nothing more, until it is revoked.
 */
import type { TLSSocket } from 'node:tls';

import type { NodeConfig } from '../lib/config.ts';
import { MAX_CHARTER_BYTES } from '../wire/identity/charter.ts';
import type { PeerIdentity } from '../wire/identity/peer_identity.ts';
import { SecureServer } from '../wire/identity/secure_server.ts';
import type { ClusterState } from './cluster_state.ts';
import { limitLog, type Log } from './log.ts';
import { closeWith, serveRequests, type Handlers } from './request_stream.ts';

/** Links of one peer: its old one may still be dying when it dials anew. */
const MAX_LINKS_OF_PEER = 4;
/** Milliseconds without a ping after which a link is forgotten: some pings of any peer's LINK_TIMES. */
const SILENCE_MS = 15_000;
/** Twice, because a charter is text within text. */
const MAX_PEER_LINE_BYTES = 2 * MAX_CHARTER_BYTES;
/** Machines that join at the same time, and milliseconds for each: its request takes some ten. */
const MAX_STRANGERS = 16;
const STRANGER_MS = 10_000;
const FAILURES_LOGGED_PER_MINUTE = 30;
/** Milliseconds between two looks at who is linked: certificates end. */
const JUDGE_MS = 1_000;

/** Somebody without a certificate. */
export interface Stranger {
  readonly address: string | undefined;
}

export interface PeerListenerOptions {
  config: NodeConfig;
  state: ClusterState;
  log: Log;
  /** Milliseconds for the whole handshake, which takes three on a good network. */
  handshakeMs: number;
  /** Called when a peer has shown who it is. */
  onPeer: (name: string) => void;
  handlers: Handlers<PeerIdentity>;
  strangerHandlers: Handlers<Stranger>;
}

export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #logFailure: Log;
  readonly #server: SecureServer;
  readonly #links = new Map<string, Set<TLSSocket>>();
  readonly #strangers = new Set<TLSSocket>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PeerListenerOptions) {
    const { config, state, log, handshakeMs } = options;
    this.#options = options;
    this.#logFailure = limitLog(log, FAILURES_LOGGED_PER_MINUTE);
    this.#server = new SecureServer({
      identity: state.identity,
      address: config.address,
      port: config.port,
      purposes: ['control', 'join'],
      log,
      handshakeMs,
      onNode: (socket, peer) => this.#serve(socket, peer),
      onStranger: (socket) => this.#serveStranger(socket),
    });
    this.#unsubscribe = state.onChange(() => this.#server.use(state.identity));
  }

  /** @throws Error that names address and port */
  async listen(): Promise<void> {
    await this.#server.listen();
    this.#timer = setInterval(() => this.#server.judgeAgain(Date.now()), JUDGE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#server.stop();
    for (const socket of this.#strangers) socket.destroy();
  }

  #serve(socket: TLSSocket, peer: PeerIdentity): void {
    const links = this.#links.get(peer.node) ?? new Set();
    this.#links.set(peer.node, links);
    const [oldest] = links;
    if (links.size >= MAX_LINKS_OF_PEER) oldest?.destroy();
    links.add(socket);
    this.#options.log('peer.linked', { peer: peer.node, from: socket.remoteAddress });
    this.#options.onPeer(peer.node);
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => links.delete(socket));
    const dropped: Log = (event, fields) => this.#logFailure(event, { peer: peer.node, ...fields });
    serveRequests(socket, peer, {
      handlers: this.#options.handlers,
      log: dropped,
      maxLineBytes: MAX_PEER_LINE_BYTES,
    });
  }

  #serveStranger(socket: TLSSocket): void {
    const address = socket.remoteAddress;
    if (this.#strangers.size >= MAX_STRANGERS) {
      closeWith(socket, 'busy', 'Cannot join: too many do right now; try again');
      return;
    }
    this.#strangers.add(socket);
    const timer = setTimeout(() => socket.destroy(), STRANGER_MS);
    socket.on('close', () => {
      clearTimeout(timer);
      this.#strangers.delete(socket);
    });
    socket.on('end', () => socket.destroy());
    const log: Log = (event, fields) => this.#logFailure(event, { from: address, ...fields });
    serveRequests(socket, { address }, { handlers: this.#options.strangerHandlers, log });
  }
}
