/**
 * The secret by which engines know each other: the newest key of the charter. A revocation replaces it, and mosd writes the
 * new charter down; so it is looked at for each link. See docs/security.md.
 */
import { IdentityStore } from '../wire/identity/identity_store.ts';

export class ClusterKey {
  readonly #store: IdentityStore;
  #read: { written: bigint; key: Uint8Array } | undefined;

  /** @param stateDir where mosd keeps the node's identity */
  constructor(stateDir: string) {
    this.#store = new IdentityStore(stateDir);
  }

  /** @throws IdentityError when this node is in no cluster, or its identity cannot be read */
  get current(): Uint8Array {
    const written = this.#store.charterWritten();
    if (this.#read?.written === written) return this.#read.key;
    const { charter } = this.#store.own();
    const key = Buffer.from(charter.gossipKeys[0], 'base64');
    this.#read = { written, key };
    return key;
  }
}
