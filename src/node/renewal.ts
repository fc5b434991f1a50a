/** Keeps this node's certificate fresh: asks the issuer for a new one when two thirds of its time are over, or its authority goes. */
import { messageOf } from '../lib/errors.ts';
import { createRequest } from '../wire/identity/certificates.ts';
import { isDue, keyOf } from '../wire/identity/found_cluster.ts';
import type { ClusterState } from './cluster_state.ts';
import type { Issuer } from './issuer.ts';
import type { Log } from './log.ts';
import type { Peers } from './peers.ts';

/**
 * Milliseconds between two looks, at most: a thousandth of a certificate's life, so that a short one is renewed in time,
 * too. Larger: less work; smaller: a node that was away for long is sooner up to date.
 */
const CHECK_MS = 60_000;
const LEAST_CHECK_MS = 100;
const DAY_MS = 86_400_000;
const ANSWER_MS = 10_000;

export interface RenewalOptions {
  node: string;
  state: ClusterState;
  issuer: Issuer;
  peers: Peers;
  log: Log;
}

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #underWay = false;
  #stopped = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#unsubscribe = options.state.onChange(() => void this.check());
  }

  start(): void {
    void this.check();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  /** Renews the certificate if it is due, and plans the next look. Never rejects. */
  async check(): Promise<void> {
    if (this.#underWay || this.#stopped) return;
    this.#underWay = true;
    const { state, log } = this.#options;
    try {
      if (!state.revoked && isDue(state.identity.certificate, state.charter, Date.now())) await this.#renew();
    } catch (error) {
      log('identity.not-renewed', { why: messageOf(error) });
    } finally {
      this.#underWay = false;
      this.#plan();
    }
  }

  #plan(): void {
    if (this.#stopped) return;
    const life = this.#options.state.charter.settings.certificateDays * DAY_MS;
    clearTimeout(this.#timer);
    const wait = Math.max(LEAST_CHECK_MS, Math.min(CHECK_MS, life / 1000));
    this.#timer = setTimeout(() => void this.check(), wait);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    const { node, state, issuer, peers } = this.#options;
    const { key, certificate } = state.identity;
    const request = await createRequest(node, key);
    if (issuer.present) {
      state.renewed(await issuer.renew({ node, key: keyOf(certificate) }, request));
      return;
    }
    const answer = await peers.request(state.charter.issuer, 'renew', { request }, ANSWER_MS);
    // cast: what does not fit is no certificate, and is noticed before it is kept
    const { certificate: fresh } = answer as { certificate: string };
    if (keyOf(fresh) !== keyOf(certificate))
      throw new Error('the issuer has answered with a certificate of another key');
    state.renewed(fresh);
  }
}
