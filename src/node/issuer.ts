/**
 * What only the node can do that holds the authority's key: admit and renew nodes, revoke them, change the settings, replace
 * the authority. Each makes the next charter; they are done one after the other.
 */
import { randomBytes } from 'node:crypto';

import { messageOf } from '../lib/errors.ts';
import type { PeerConfig } from '../lib/places.ts';
import { certificateFingerprint, createAuthority, type Credential } from '../wire/identity/certificates.ts';
import { newGossipKey, type Charter, type Settings } from '../wire/identity/charter.ts';
import { admit, renew, withoutNode } from '../wire/identity/found_cluster.ts';
import type { PeerIdentity } from '../wire/identity/peer_identity.ts';
import type { SignedCharter } from '../wire/identity/charter.ts';
import { digestOf, encodeToken, redeem, SECRET_BYTES, TokenError, withToken } from '../wire/identity/token.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { ClusterState } from './cluster_state.ts';
import type { Log } from './log.ts';

export interface Joining {
  secret: string;
  request: string;
  place: PeerConfig;
}

export class Issuer {
  readonly #state: ClusterState;
  readonly #node: string;
  readonly #log: Log;
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();

  constructor({
    state,
    node,
    log,
    now = Date.now,
  }: {
    state: ClusterState;
    node: string;
    log: Log;
    now?: () => number;
  }) {
    this.#state = state;
    this.#node = node;
    this.#log = log;
    this.#now = now;
  }

  /** Whether this node is the one. */
  get present(): boolean {
    return this.#state.store.authority(this.#state.charter) !== undefined;
  }

  /** A token for one node. @param place Where the node is to ask. */
  token(ttlMs: number, { address, port }: { address: string; port: number }): { token: string; expires: number } {
    const { store, charter } = this.#state;
    this.#authority('make a token');
    const secret = randomBytes(SECRET_BYTES).toString('hex');
    const expires = this.#now() + ttlMs;
    store.saveTokens(withToken(store.tokens(), { digest: digestOf(secret), expires }, this.#now()));
    const fingerprint = certificateFingerprint(charter.authorities[0]);
    return { token: encodeToken({ fingerprint, secret, address, port }), expires };
  }

  /** @throws RefusedError */
  join({ secret, request, place }: Joining): Promise<{ certificate: string; signed: SignedCharter }> {
    return this.#inTurn(`admit the node "${place.name}"`, async (authority) => {
      const { store, charter } = this.#state;
      // Used up before it is known whether the rest is right: a secret can be tried once.
      store.saveTokens(redeem(store.tokens(), { secret, node: place.name, now: this.#now() }));
      const admitted = await admit({ authority, charter, request, place, now: this.#now() });
      this.#change(admitted.charter, [authority]);
      this.#log('node.joined', { joined: place.name, address: place.address });
      return { certificate: admitted.certificate, signed: this.#state.identity.signed };
    });
  }

  /** A new certificate for a node, with the authority that signs now. The last one drops the old authority. @throws RefusedError */
  async renew(peer: Pick<PeerIdentity, 'node' | 'key'>, request: string): Promise<string> {
    const certificate = await this.#renew(peer, request);
    if (this.#rotating && this.unrenewed.length === 0)
      this.finishRotation().catch((error: unknown) => this.#log('authority.not-dropped', { why: messageOf(error) }));
    return certificate;
  }

  #renew(peer: Pick<PeerIdentity, 'node' | 'key'>, request: string): Promise<string> {
    return this.#inTurn(`renew the certificate of "${peer.node}"`, async (authority) => {
      const { charter, store } = this.#state;
      const certificate = await renew({ authority, charter, request, now: this.#now() }, peer);
      this.#log('node.renewed', { renewed: peer.node });
      store.saveRenewed([...new Set([...store.renewed(), peer.node])]);
      return certificate;
    });
  }

  /** @throws RefusedError */
  revoke(name: string): Promise<void> {
    return this.#inTurn(`revoke the node "${name}"`, (authority) => {
      const { charter } = this.#state;
      if (!charter.nodes.some((node) => node.name === name))
        throw new RefusedError('no-such-node', `there is none (the cluster has ${namesOf(charter)})`);
      if (name === this.#node)
        throw new RefusedError('failed', 'it holds the authority; give that to another node first');
      this.#change(withoutNode(charter, name, this.#now()), [authority]);
      this.#log('node.revoked', { revoked: name });
    });
  }

  /** @throws RefusedError */
  change(settings: Partial<Settings>): Promise<void> {
    return this.#inTurn('change the settings', (authority) => {
      const { charter } = this.#state;
      this.#change({ ...next(charter), settings: { ...charter.settings, ...settings } }, [authority]);
    });
  }

  /** A node is somewhere else now. @throws RefusedError */
  move(place: PeerConfig): Promise<void> {
    return this.#inTurn(`note where "${place.name}" is`, (authority) => {
      const { charter } = this.#state;
      const { name, address, port, guestPort } = place;
      const nodes = charter.nodes.map((node) => (node.name === name ? { ...node, address, port, guestPort } : node));
      this.#change({ ...next(charter), nodes }, [authority]);
    });
  }

  /**
   * Replaces the authority: from now on the new one signs, and both are believed until `finishRotation`.
   * @throws RefusedError
   */
  rotate(): Promise<void> {
    return this.#inTurn('replace the authority', async (old) => {
      const { charter, store } = this.#state;
      if (this.#rotating)
        throw new RefusedError('busy', 'the last time is not over yet; mosix rotate-ca --finish ends it');
      const fresh = await createAuthority(charter.cluster, { now: this.#now() });
      const authorities = [fresh.certificate, ...charter.authorities];
      const gossipKeys = [newGossipKey(), charter.gossipKeys[0]];
      store.saveRenewed([]);
      // Whenever mosd ends in between, the key that belongs to the charter is there.
      store.saveAuthority(fresh, 'next');
      this.#change({ ...next(charter), authorities, gossipKeys }, [fresh, old]);
      store.saveAuthority(fresh);
    });
  }

  /** Only the new authority is believed from now on; who has no certificate of it has to join again. @throws RefusedError */
  finishRotation(): Promise<void> {
    return this.#inTurn('drop the old authority', (authority) => {
      const { charter } = this.#state;
      if (!this.#rotating) throw new RefusedError('failed', 'there is only one');
      this.#change({ ...next(charter), authorities: [authority.certificate] }, [authority]);
      this.#log('authority.dropped', {});
    });
  }

  /** Nodes that have no certificate of the new authority yet; empty when there is no old one. */
  get unrenewed(): string[] {
    if (!this.#rotating) return [];
    const { charter, store } = this.#state;
    const renewed = new Set(store.renewed());
    return charter.nodes.map(({ name }) => name).filter((name) => !renewed.has(name));
  }

  get #rotating(): boolean {
    return this.#state.charter.authorities.length > 1;
  }

  #change(charter: Charter, authorities: readonly Credential[]): void {
    this.#state.commit({ ...charter, issuer: this.#node }, authorities);
  }

  #authority(what: string): Credential {
    const authority = this.#state.store.authority(this.#state.charter);
    if (authority !== undefined) return authority;
    const { issuer } = this.#state.charter;
    throw new RefusedError('failed', `Cannot ${what}: the cluster's authority is at the node "${issuer}"; do it there`);
  }

  /** @param what For the message: "revoke the node n2". */
  #inTurn<T>(what: string, work: (authority: Credential) => T | Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      const authority = this.#authority(what);
      try {
        return await work(authority);
      } catch (error) {
        if (error instanceof TokenError) throw new RefusedError('not-authenticated', error.message);
        const code = error instanceof RefusedError ? error.code : 'failed';
        throw new RefusedError(code, `Cannot ${what}: ${messageOf(error)}`);
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function next(charter: Charter): Charter {
  return { ...charter, version: charter.version + 1 };
}

function namesOf({ nodes }: Charter): string {
  return nodes.map(({ name }) => name).join(', ');
}
