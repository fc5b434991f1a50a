/** The links to all other nodes of the charter: made, ended and moved as it changes; and the charter passed on over them. */
import { messageOf } from '../lib/errors.ts';
import type { PeerConfig } from '../lib/places.ts';
import type { ClusterState } from './cluster_state.ts';
import type { Log } from './log.ts';
import { PeerLink, type LinkTimes } from './peer_link.ts';
import { RefusedError } from '../wire/line_errors.ts';

export interface PeersOptions {
  /** This node's name. */
  self: string;
  state: ClusterState;
  log: Log;
  times: LinkTimes;
  /** A link is there; every time it is. */
  onUp?: (link: PeerLink) => void;
  /** What a peer tells of itself with each answer to a ping. */
  onTold?: (peer: string, told: unknown) => void;
}

export class Peers {
  readonly #options: PeersOptions;
  readonly #links = new Map<string, PeerLink>();
  #running = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#follow();
    options.state.onChange(() => {
      this.#follow();
      for (const link of this.#links.values()) void this.#exchange(link);
    });
  }

  /** In the order of the charter. */
  get all(): PeerLink[] {
    return [...this.#links.values()];
  }

  find(name: string): PeerLink | undefined {
    return this.#links.get(name);
  }

  /** See PeerLink. @throws RefusedError, LineClientError */
  request(name: string, op: string, parameters: object, timeoutMs?: number): Promise<unknown> {
    const link = this.#links.get(name);
    if (link === undefined) return Promise.reject(new RefusedError('no-such-node', `there is no node "${name}"`));
    return link.request(op, parameters, timeoutMs);
  }

  run(): void {
    this.#running = true;
    for (const link of this.#links.values()) void link.run();
  }

  stop(): void {
    this.#running = false;
    for (const link of this.#links.values()) link.stop();
  }

  #follow(): void {
    const { self, state } = this.#options;
    const wanted = new Map(state.charter.nodes.filter(({ name }) => name !== self).map((node) => [node.name, node]));
    for (const [name, link] of this.#links) {
      const node = wanted.get(name);
      if (node !== undefined && isAt(node, link.peer)) continue;
      link.stop();
      this.#links.delete(name);
    }
    for (const node of wanted.values()) if (!this.#links.has(node.name)) this.#add(node);
  }

  #add(peer: PeerConfig): void {
    const { state, log, times, onUp, onTold } = this.#options;
    const link = new PeerLink({
      peer,
      identity: () => state.identity,
      log,
      times,
      onTold,
      onUp: (up) => {
        void this.#exchange(up);
        onUp?.(up);
      },
    });
    this.#links.set(peer.name, link);
    if (this.#running) void link.run();
  }

  /** Whoever has the older charter gets the newer one. A link that is down does so when it is up. */
  async #exchange(link: PeerLink): Promise<void> {
    const { state, log } = this.#options;
    if (link.status().state !== 'up') return;
    try {
      // cast: what the peer says is looked at by `offer`
      const theirs = (await link.request('charter', { version: state.charter.version })) as {
        version?: unknown;
        signed?: unknown;
      };
      if (theirs.signed !== undefined) state.offer(theirs.signed);
      else if (typeof theirs.version === 'number' && theirs.version < state.charter.version)
        await link.request('take-charter', { signed: state.identity.signed });
    } catch (error) {
      log('charter.not-exchanged', { peer: link.peer.name, why: messageOf(error) });
    }
  }
}

function isAt(node: PeerConfig, { address, port, guestPort }: PeerConfig): boolean {
  return node.address === address && node.port === port && node.guestPort === guestPort;
}
