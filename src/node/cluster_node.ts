/** This node as a member of its cluster: what it knows of it, its links to the others, what it answers them, and its own renewal. */
import type { NodeConfig } from '../lib/config.ts';
import { ClusterCommands } from './cluster_commands.ts';
import { ClusterState } from './cluster_state.ts';
import type { Handler } from './command_server.ts';
import { Issuer } from './issuer.ts';
import type { Log } from './log.ts';
import { peerHandlers, strangerHandlers, type About } from './peer_handlers.ts';
import type { LinkTimes } from './peer_link.ts';
import { PeerListener } from './peer_listener.ts';
import { Peers } from './peers.ts';
import { Renewal } from './renewal.ts';

export interface ClusterNodeOptions {
  config: NodeConfig;
  about: About;
  log: Log;
  times: LinkTimes;
  /** What this node tells of itself, with each answer to a ping. */
  tell: () => unknown;
  /** What another node has told so. */
  onTold: (peer: string, told: unknown) => void;
  /** Answers the question of a peer's balancer. */
  onAsk: (peer: string, question: unknown) => unknown;
}

export class ClusterNode {
  readonly state: ClusterState;
  readonly peers: Peers;
  /** What commands may ask of it. */
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly #renewal: Renewal;
  readonly #listener: PeerListener;

  /** @throws IdentityError */
  constructor({ config, about, log, times, tell, onTold, onAsk }: ClusterNodeOptions) {
    const state = new ClusterState(config.stateDir, log);
    const peers = new Peers({ self: config.name, state, log, times, onTold });
    const issuer = new Issuer({ state, node: config.name, log });
    this.state = state;
    this.peers = peers;
    this.handlers = new ClusterCommands({ config, state, issuer, peers }).handlers;
    this.#renewal = new Renewal({ node: config.name, state, issuer, peers, log });
    this.#listener = new PeerListener({
      config,
      state,
      log,
      handshakeMs: times.connectMs,
      onPeer: (name) => peers.find(name)?.wake(),
      handlers: peerHandlers({ state, issuer, about, tell, onAsk }),
      strangerHandlers: strangerHandlers({ issuer, about }),
    });
  }

  /** @throws Error that names address and port */
  listen(): Promise<void> {
    return this.#listener.listen();
  }

  /** Links with the others. */
  run(): void {
    this.peers.run();
    this.#renewal.start();
  }

  stop(): void {
    this.#listener.stop();
    this.peers.stop();
    this.#renewal.stop();
  }
}
