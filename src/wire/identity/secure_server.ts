/**
 * Accepts TLS connections of other nodes, and of machines that want to become one.
 *
 * Promise: whoever is no node costs a bounded number of sockets for a bounded time, is not listened to, and is noted with
 * the reason. Who was a node when it connected and has been revoked since is dropped by `judgeAgain`.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';

import { messageOf, reasonOf } from '../../lib/errors.ts';
import { jsonLine } from '../../lib/json_lines.ts';
import { limitLog, type Log } from '../../lib/limit_log.ts';
import type { Charter } from './charter.ts';
import { IdentityError } from './identity_error.ts';
import type { Identity } from './identity_store.ts';
import { identify, isRevoked, type PeerIdentity } from './peer_identity.ts';
import { contextOptions, handshakeFailure, protocolOf, purposeOf, type Purpose } from './secure_link.ts';

/** Connections in the handshake. Larger: more memory for strangers; smaller: easier to crowd peers out. */
const MAX_UNPROVEN = 64;
const REFUSALS_LOGGED_PER_MINUTE = 30;

export interface SecureServerOptions {
  identity: Identity;
  address: string;
  port: number;
  /** What may be wanted here. */
  purposes: readonly Purpose[];
  log: Log;
  /** Milliseconds for the whole handshake, which takes three on a good network. */
  handshakeMs: number;
  onNode: (socket: TLSSocket, peer: PeerIdentity) => void;
  /** Somebody without a certificate who wants to join. */
  onStranger?: (socket: TLSSocket) => void;
}

export class SecureServer {
  readonly #options: SecureServerOptions;
  readonly #logRefusal: Log;
  readonly #server: Server;
  readonly #unproven = new Map<string, Socket>();
  readonly #linked = new Map<TLSSocket, PeerIdentity>();
  #identity: Identity;

  constructor(options: SecureServerOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#logRefusal = limitLog(options.log, REFUSALS_LOGGED_PER_MINUTE);
    this.#server = createServer({
      ...contextOptions(options.identity),
      ALPNProtocols: options.purposes.map(protocolOf),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeMs,
      noDelay: true,
    });
    this.#server.on('connection', (socket: Socket) => this.#begin(socket));
    this.#server.on('secureConnection', (socket) => this.#accept(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    // Out of descriptors, for one: this connection is lost, the listener goes on.
    this.#server.on('error', (error) => this.#logRefusal('peer.accept-failed', { why: error.message }));
  }

  /** @throws Error that names address and port */
  listen(): Promise<void> {
    const { address, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new Error(`Cannot listen for peers on ${address} port ${port}: ${reasonOf(error)}`, { cause: error })),
      );
      this.#server.listen({ host: address, port }, resolve);
    });
  }

  /** From now on this is shown and believed; who is revoked by it, or whose certificate has ended, is dropped. */
  use(identity: Identity): void {
    this.#identity = identity;
    this.#server.setSecureContext(contextOptions(identity));
    this.judgeAgain(Date.now());
  }

  /** @param now Milliseconds since 1970. */
  judgeAgain(now: number): void {
    for (const [socket, peer] of this.#linked) {
      const why = objection(peer, this.#identity.charter, now);
      if (why === undefined) continue;
      this.#options.log('peer.dropped', { peer: peer.node, why });
      socket.destroy();
    }
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#unproven.values()) socket.destroy();
    for (const socket of this.#linked.keys()) socket.destroy();
  }

  /** The oldest stranger goes: a node needs some milliseconds for its handshake, so those who are long in it are none. */
  #begin(socket: Socket): void {
    const [oldest] = this.#unproven;
    if (this.#unproven.size >= MAX_UNPROVEN && oldest !== undefined) {
      this.#unproven.delete(oldest[0]);
      oldest[1].destroy();
    }
    const key = keyOf(socket);
    this.#unproven.set(key, socket);
    socket.on('close', () => this.#unproven.delete(key));
  }

  #accept(socket: TLSSocket): void {
    const from = socket.remoteAddress;
    socket.on('error', () => socket.destroy());
    this.#unproven.delete(keyOf(socket));
    if (purposeOf(socket.alpnProtocol) === 'join') {
      this.#options.onStranger?.(socket);
      return;
    }
    try {
      // Without ALPN in its hello nobody has asked what it wants.
      if (purposeOf(socket.alpnProtocol) === undefined)
        throw new IdentityError('failed', 'it does not say what it wants');
      const peer = identify(socket, this.#identity.charter, Date.now());
      this.#linked.set(socket, peer);
      socket.on('close', () => this.#linked.delete(socket));
      this.#options.onNode(socket, peer);
    } catch (error) {
      this.#refuse(socket, from, messageOf(error));
    }
  }

  #refuse(socket: TLSSocket, from: string | undefined, why: string): void {
    this.#logRefusal('peer.refused', { from, why });
    // Short enough for any socket buffer: it is not waited for that the other side reads it.
    const error = { code: 'not-authenticated', message: `it refuses this node: ${why}` };
    socket.end(jsonLine({ id: null, ok: false, error }), () => socket.destroy());
  }

  #failed(error: Error, socket: TLSSocket): void {
    this.#logRefusal('peer.refused', { from: socket.remoteAddress, why: handshakeFailure(error).message });
    socket.destroy();
  }
}

/** Why a peer that was accepted is not any more. */
function objection(peer: PeerIdentity, charter: Charter, now: number): string | undefined {
  if (isRevoked(peer.key, charter)) return 'it has been revoked';
  return peer.expires <= now ? 'the certificate that it showed has expired' : undefined;
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
