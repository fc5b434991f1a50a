/**
 * Accepts links from peers, and nothing else.
 *
 * Promise: whoever does not hold the cluster's key costs a bounded number of sockets for a bounded time, and is not
 * listened to; nor is a key holder who is not on the list of peers.
 */
import { createServer, type Server, type Socket } from 'node:net';

import type { NodeConfig } from '../lib/config.ts';
import { messageOf, reasonOf } from '../lib/errors.ts';
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import { authenticate } from '../wire/authenticate.ts';
import { Handshake, type HandshakePeer } from '../wire/handshake.ts';
import { limitLog, type Log } from './log.ts';

/** Connections in the handshake. Larger: more memory for strangers; smaller: easier to crowd peers out. */
const MAX_UNPROVEN = 64;
/** Links of one peer: its old one may still be dying when it dials anew. */
const MAX_LINKS_OF_PEER = 4;
/** Milliseconds without a ping after which a link is forgotten: some pings of any peer's LINK_TIMES. */
const SILENCE_MS = 15_000;
/** Bytes waiting for a peer that does not read: more than any number of pongs needs. */
const MAX_UNSENT_BYTES = 256 * 1024;
const REFUSALS_LOGGED_PER_MINUTE = 30;

export interface PeerListenerOptions {
  config: NodeConfig;
  key: Uint8Array;
  log: Log;
  /** Milliseconds for the whole handshake, which takes one on a good network. */
  handshakeMs: number;
  /** Called when a peer has proved the key. */
  onPeer: (name: string) => void;
  /** What this node tells of itself, with each pong. */
  tell?: () => unknown;
  /** Answers a peer's question. */
  onAsk?: (peer: string, question: unknown) => unknown;
}

export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #logRefusal: Log;
  readonly #server: Server;
  readonly #unproven = new Set<Socket>();
  readonly #links = new Map<string, Set<Socket>>();

  constructor(options: PeerListenerOptions) {
    this.#options = options;
    this.#logRefusal = limitLog(options.log, REFUSALS_LOGGED_PER_MINUTE);
    this.#server = createServer({ noDelay: true }, (socket) => void this.#accept(socket));
    // Out of descriptors, for one: this connection is lost, the listener goes on.
    this.#server.on('error', (error) => this.#logRefusal('peer.accept-failed', { why: error.message }));
  }

  /** @throws Error that names address and port */
  listen(): Promise<void> {
    const { address, port } = this.#options.config;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new Error(`Cannot listen for peers on ${address} port ${port}: ${reasonOf(error)}`, { cause: error })),
      );
      this.#server.listen({ host: address, port }, resolve);
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#unproven) socket.destroy();
    for (const links of this.#links.values()) for (const socket of links) socket.destroy();
  }

  async #accept(socket: Socket): Promise<void> {
    const from = socket.remoteAddress;
    this.#makeRoom();
    this.#unproven.add(socket);
    try {
      const handshake = new Handshake({
        role: 'server',
        purpose: 'control',
        name: this.#options.config.name,
        key: this.#options.key,
      });
      const { peer, rest } = await authenticate(socket, handshake, this.#options.handshakeMs);
      this.#unproven.delete(socket);
      if (this.#isListed(peer)) this.#serve(socket, peer.name, rest);
      else this.#refuse(socket, peer);
    } catch (error) {
      this.#unproven.delete(socket);
      this.#logRefusal('peer.refused', { from, why: messageOf(error) });
    }
  }

  /** The oldest stranger goes: a peer needs a millisecond for its handshake, so those who are long in it are none. */
  #makeRoom(): void {
    const [oldest] = this.#unproven;
    if (this.#unproven.size < MAX_UNPROVEN || oldest === undefined) return;
    this.#unproven.delete(oldest);
    oldest.destroy();
  }

  #isListed(peer: HandshakePeer): boolean {
    return this.#options.config.peers.some(({ name }) => name === peer.name);
  }

  #refuse(socket: Socket, peer: HandshakePeer): void {
    this.#logRefusal('peer.refused', {
      peer: peer.name,
      from: socket.remoteAddress,
      why: 'it is not on the list of peers',
    });
    const line = jsonLine({
      refused: `"${this.#options.config.name}" does not have "${peer.name}" on its list of peers`,
    });
    socket.end(line, () => socket.destroy());
  }

  #serve(socket: Socket, name: string, rest: Uint8Array): void {
    const links = this.#links.get(name) ?? new Set();
    this.#links.set(name, links);
    const [oldest] = links;
    if (links.size >= MAX_LINKS_OF_PEER) oldest?.destroy();
    links.add(socket);
    this.#options.log('peer.linked', { peer: name, from: socket.remoteAddress });
    this.#options.onPeer(name);

    const reader = new JsonLineReader();
    const onData = (bytes: Uint8Array): void => {
      try {
        for (const message of reader.feed(bytes)) this.#answer(socket, name, message);
      } catch (error) {
        this.#logRefusal('peer.dropped', { peer: name, why: messageOf(error) });
        socket.destroy();
      }
    };
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('data', onData);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => links.delete(socket));
    onData(rest);
    socket.resume();
  }

  #answer(socket: Socket, name: string, message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
    else if ('ping' in message) socket.write(jsonLine({ pong: message.ping, told: this.#options.tell?.() }));
    else if ('ask' in message && 'question' in message)
      socket.write(jsonLine({ answer: message.ask, result: this.#options.onAsk?.(name, message.question) ?? null }));
  }
}
