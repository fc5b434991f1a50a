/** This node's place in the cluster while mosd runs: its identity and the charter, kept on disk, and who wants to hear of changes. */
import { messageOf } from '../lib/errors.ts';
import type { Credential } from '../wire/identity/certificates.ts';
import { openCharter, replaces, signCharter, type Charter } from '../wire/identity/charter.ts';
import { keyOf } from '../wire/identity/found_cluster.ts';
import { IdentityError } from '../wire/identity/identity_error.ts';
import { IdentityStore, type Identity } from '../wire/identity/identity_store.ts';
import { isRevoked } from '../wire/identity/peer_identity.ts';
import type { Log } from './log.ts';

export class ClusterState {
  readonly store: IdentityStore;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #identity: Identity;

  /** @throws IdentityError, also if this node belongs to no cluster */
  constructor(stateDir: string, log: Log) {
    this.store = new IdentityStore(stateDir);
    this.#log = log;
    this.#identity = loadIdentity(this.store);
  }

  get identity(): Identity {
    return this.#identity;
  }

  get charter(): Charter {
    return this.#identity.charter;
  }

  /** Whether this node has been revoked: nobody talks to it any more. */
  get revoked(): boolean {
    return isRevoked(keyOf(this.#identity.certificate), this.charter);
  }

  /** Called after each change of identity or charter. @returns what ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes a charter that somebody else has, if it is newer.
   * @returns whether it was
   * @throws IdentityError if it is not this cluster's
   */
  offer(signed: unknown): boolean {
    const charter = openCharter(signed, this.charter.authorities);
    if (!replaces(charter, this.charter)) return false;
    // cast: openCharter has looked
    this.#take(charter, signed as Identity['signed']);
    return true;
  }

  /** A change that this node makes, which holds the authority. @param authorities see `signCharter` */
  commit(charter: Charter, authorities: readonly Credential[]): void {
    this.#take(charter, signCharter(charter, authorities));
  }

  renewed(certificate: string): void {
    this.store.saveCertificate(certificate);
    this.#identity = { ...this.#identity, certificate };
    this.#log('identity.renewed', {});
    this.#tell();
  }

  #take(charter: Charter, signed: Identity['signed']): void {
    const wasRevoked = this.revoked;
    this.store.saveCharter(signed);
    this.#identity = { ...this.#identity, signed, charter };
    this.#log('charter.taken', {
      version: charter.version,
      nodes: charter.nodes.length,
      revoked: charter.revoked.length,
    });
    if (this.revoked && !wasRevoked)
      this.#log('identity.revoked', { why: 'this node has been revoked: no other node talks to it any more' });
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#log('charter.listener-failed', { why: messageOf(error) });
      }
    }
  }
}

/** @throws IdentityError, also if this node belongs to no cluster */
export function loadIdentity(store: IdentityStore): Identity {
  const identity = store.load();
  if (identity !== undefined) return identity;
  throw new IdentityError(
    'failed',
    `Cannot start mosd: this node belongs to no cluster (nothing in ${store.directory}); ` +
      'mosix init makes one, mosix join TOKEN enters one',
  );
}
