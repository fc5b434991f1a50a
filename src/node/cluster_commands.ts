/** What mosd does for `mosix token`, `revoke`, `rotate-ca`, `leave`, `set` and `cluster`: root's business, and that of who runs mosd. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as v from 'valibot';

import type { NodeConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import type { ClusterReport, PeerFindings, TokenResult } from '../wire/command_protocol.ts';
import { certificateFingerprint } from '../wire/identity/certificates.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { ClusterState } from './cluster_state.ts';
import type { Caller, Handler } from './command_server.ts';
import type { Issuer } from './issuer.ts';
import type { Peers } from './peers.ts';
import { check } from './requests.ts';

export interface ClusterCommandsOptions {
  config: NodeConfig;
  state: ClusterState;
  issuer: Issuer;
  peers: Peers;
}

const HOUR_MS = 3_600_000;
const LEAVE_MS = 10_000;
const tokenRequest = v.looseObject({
  ttlMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(30 * 24 * HOUR_MS)), HOUR_MS),
  address: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => isIP(text) !== 0, 'it must be an IP address'),
    ),
  ),
});
const nodeRequest = v.looseObject({ node: v.string() });
const rotateRequest = v.looseObject({ finish: v.optional(v.boolean(), false) });
const settingsRequest = v.looseObject({
  settings: v.strictObject({
    guestLinks: v.optional(v.picklist(['encrypted', 'clear'])),
    users: v.optional(v.picklist(['shared', 'separate'])),
    certificateDays: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(3650))),
  }),
});

export class ClusterCommands {
  readonly #options: ClusterCommandsOptions;

  constructor(options: ClusterCommandsOptions) {
    this.#options = options;
  }

  readonly handlers: Readonly<Record<string, Handler>> = {
    cluster: () => this.#report(),
    token: (caller, request) => {
      this.#assertMayRule(caller, 'make a token');
      return this.#token(check(tokenRequest, request));
    },
    revoke: async (caller, request) => {
      const { node } = check(nodeRequest, request);
      this.#assertMayRule(caller, `revoke the node "${node}"`);
      await this.#options.issuer.revoke(node);
    },
    'rotate-ca': async (caller, request) => {
      this.#assertMayRule(caller, 'replace the authority');
      const { issuer } = this.#options;
      await (check(rotateRequest, request).finish ? issuer.finishRotation() : issuer.rotate());
    },
    set: async (caller, request) => {
      this.#assertMayRule(caller, 'change the settings');
      await this.#options.issuer.change(check(settingsRequest, request).settings);
    },
    leave: (caller) => {
      this.#assertMayRule(caller, 'leave the cluster');
      return this.#leave();
    },
    'ask-peer': (caller, request) => {
      this.#assertMayRule(caller, 'ask another node about itself');
      return this.#askPeer(check(nodeRequest, request).node);
    },
  };

  #report(): ClusterReport {
    const { state, issuer } = this.#options;
    const { certificate, charter } = state.identity;
    return {
      cluster: charter.cluster,
      version: charter.version,
      issuer: charter.issuer,
      issuesHere: issuer.present,
      authorities: charter.authorities.map((pem) => certificateFingerprint(pem)),
      expires: new X509Certificate(certificate).validToDate.getTime(),
      revoked: state.revoked,
      revocations: charter.revoked.map(({ node, at }) => ({ node, at })),
      settings: charter.settings,
      unrenewed: issuer.present ? issuer.unrenewed : [],
    };
  }

  #token({ ttlMs, address }: v.InferOutput<typeof tokenRequest>): TokenResult {
    const { config, issuer } = this.#options;
    return issuer.token(ttlMs, { address: address ?? config.address, port: config.port });
  }

  /** Tells the issuer, so that the others forget this node. */
  async #leave(): Promise<void> {
    const { state, issuer, peers } = this.#options;
    const { nodes } = state.charter;
    if (state.revoked || nodes.length <= 1) return;
    if (issuer.present)
      throw new RefusedError(
        'failed',
        'Cannot leave the cluster: its authority is here; the other nodes have to leave before, or join another',
      );
    try {
      await peers.request(state.charter.issuer, 'leave', {}, LEAVE_MS);
    } catch (error) {
      throw new RefusedError(
        'node-unreachable',
        `Cannot tell the node "${state.charter.issuer}" that this one leaves: ${messageOf(error)}`,
      );
    }
  }

  async #askPeer(node: string): Promise<PeerFindings> {
    const sent = Date.now();
    // cast: it is shown, and what is not there is said to be unknown
    const report = (await this.#options.peers.request(node, 'about', {})) as PeerFindings['report'];
    return { sent, received: Date.now(), report };
  }

  #assertMayRule({ uid }: Caller, what: string): void {
    if (uid !== 0 && uid !== process.geteuid?.())
      throw new RefusedError('not-permitted', `Cannot ${what}: only root and the user who started mosd may do that`);
  }
}
