/**
 * The latest entry of each node, with its age: what this node's daemon has been told over its links to the others.
 *
 * Each answer to a ping brings the entry of the node that answers; so on a full mesh of links no entry is much older than
 * one ping. An implementation of InformationVector for small clusters; gossip is the one for all.
 */
import { performance } from 'node:perf_hooks';

import type { InformationVector, KnownNode, NodeCard, NodeEntry } from '../gossip/entry.ts';
import type { PeerLink } from './peer_link.ts';
import type { Peers } from './peers.ts';

interface Heard {
  readonly entry: NodeEntry;
  /** When it was measured, on this node's clock. */
  readonly at: number;
}

export class Board implements InformationVector {
  readonly #self: NodeCard;
  readonly #peers: Peers;
  readonly #heard = new Map<string, Heard>();
  #own: Heard | undefined;

  constructor(self: NodeCard, peers: Peers) {
    this.#self = self;
    this.#peers = peers;
  }

  publish(entry: NodeEntry): void {
    this.#own = { entry, at: performance.now() };
  }

  /** What this node tells those that ask; undefined before the first measurement. */
  told(): unknown {
    if (this.#own === undefined) return undefined;
    const { entry, at } = this.#own;
    return { ...entry, cpuFeatures: entry.cpuFeatures.toHex(), ageMs: Math.round(performance.now() - at) };
  }

  /** @param told By a peer; who is of the cluster is believed, but a broken entry is left out. */
  hear(name: string, told: unknown): void {
    const { cpuFeatures, ageMs, ...rest } = Object(told) as Record<string, unknown>; // cast: looked at below
    const numbers = [rest['load'], rest['speed'], rest['cpus'], rest['freeMemory'], rest['totalMemory'], ageMs];
    if (!numbers.every((each) => typeof each === 'number' && each >= 0)) return;
    if (typeof cpuFeatures !== 'string' || !/^([0-9a-f]{2})*$/.test(cpuFeatures)) return;
    if (typeof rest['status'] !== 'object' || typeof rest['pressure'] !== 'object') return;
    // cast: the rest comes from the same type on a node of the cluster
    const entry = { ...rest, cpuFeatures: Uint8Array.fromHex(cpuFeatures) } as unknown as NodeEntry;
    this.#heard.set(name, { entry, at: performance.now() - Number(ageMs) });
  }

  nodes(): readonly KnownNode[] {
    return [this.#known(this.#self, 'alive', this.#own), ...this.#peers.all.map((peer) => this.#ofPeer(peer))];
  }

  node(name: string): KnownNode | undefined {
    return this.nodes().find((one) => one.name === name);
  }

  #ofPeer(link: PeerLink): KnownNode {
    const { state } = link.status();
    return this.#known(link.peer, state === 'up' ? 'alive' : 'dead', this.#heard.get(link.peer.name));
  }

  #known(card: NodeCard, state: KnownNode['state'], heard: Heard | undefined): KnownNode {
    const { name, address, port, guestPort } = card;
    const ageMs = heard === undefined ? Infinity : performance.now() - heard.at;
    return { name, address, port, guestPort, state, self: card === this.#self, ageMs, entry: heard?.entry };
  }
}
