/** What other nodes may ask of this mosd, and what machines may that are none yet. Every answer is to somebody who has shown who it is, but for strangers'. */
import { isIP } from 'node:net';
import { arch, release } from 'node:os';
import * as v from 'valibot';

import { messageOf } from '../lib/errors.ts';
import { isNodeName } from '../lib/node_name.ts';
import type { PeerConfig } from '../lib/places.ts';
import { IdentityError } from '../wire/identity/identity_error.ts';
import type { PeerIdentity } from '../wire/identity/peer_identity.ts';
import { SECRET_BYTES } from '../wire/identity/token.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { protocolVersion } from '../wire/frames.ts';
import type { ClusterState } from './cluster_state.ts';
import type { Issuer } from './issuer.ts';
import type { Stranger } from './peer_listener.ts';
import type { Handlers } from './request_stream.ts';
import { check } from './requests.ts';

/** Of this node. */
export interface About {
  node: string;
  version: string;
}

/** What a node says about itself, for `mosix doctor --peer`. */
export interface PeerReport extends About {
  /** Of what engines speak to each other. */
  protocol: number;
  kernel: string;
  architecture: string;
  /** Milliseconds since 1970. */
  now: number;
}

/** Milliseconds that an answer may need to leave this machine. */
const ANSWER_GOES_MS = 200;

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const port = v.pipe(number, v.minValue(1), v.maxValue(65535));
const place = v.object({
  name: v.pipe(v.string(), v.check(isNodeName, 'is no name of a node')),
  address: v.pipe(
    v.string(),
    v.check((text) => isIP(text) !== 0, 'is no address'),
  ),
  port,
  guestPort: port,
});
const request = v.pipe(v.string(), v.maxLength(8192));
const versionRequest = v.looseObject({ version: number });
const signedRequest = v.looseObject({ signed: v.unknown() });
const askRequest = v.looseObject({ question: v.unknown() });
const renewRequest = v.looseObject({ request });
const moveRequest = v.looseObject({ place });
const joinRequest = v.looseObject({
  secret: v.pipe(v.string(), v.hexadecimal(), v.length(2 * SECRET_BYTES)),
  request,
  place,
});

export interface PeerHandlersOptions {
  state: ClusterState;
  issuer: Issuer;
  about: About;
  /** What this node tells of itself, with each answer to a ping. */
  tell: () => unknown;
  /** Answers the question of a peer's balancer. */
  onAsk: (peer: string, question: unknown) => unknown;
}

export function peerHandlers({ state, issuer, about, tell, onAsk }: PeerHandlersOptions): Handlers<PeerIdentity> {
  return {
    ping: () => tell() ?? null,
    ask: (peer, message) => onAsk(peer.node, check(askRequest, message).question) ?? null,
    about: () => report(about),
    charter: (_, message) => {
      const { version } = check(versionRequest, message);
      const { signed, charter } = state.identity;
      return { version: charter.version, signed: charter.version > version ? signed : undefined };
    },
    'take-charter': (_, message) => {
      const { signed } = check(signedRequest, message);
      try {
        return { taken: state.offer(signed) };
      } catch (error) {
        throw error instanceof IdentityError ? new RefusedError(error.code, messageOf(error)) : error;
      }
    },
    renew: async (peer, message) => ({ certificate: await issuer.renew(peer, check(renewRequest, message).request) }),
    move: async (peer, message) => {
      await issuer.move({ ...check(moveRequest, message).place, name: peer.node });
    },
    leave: (peer) => {
      if (!issuer.present) throw new RefusedError('failed', 'this node does not hold the authority');
      // Revoking ends the link over which it has asked: the answer goes first.
      setTimeout(() => void issuer.revoke(peer.node).catch(() => {}), ANSWER_GOES_MS);
      return {};
    },
  };
}

export function strangerHandlers({ issuer, about }: { issuer: Issuer; about: About }): Handlers<Stranger> {
  return {
    // Before it shows its token a machine may look whether it would fit at all.
    about: () => ({ version: about.version, protocol: protocolVersion, now: Date.now() }),
    join: (_, message) => {
      const { secret, request: signed, place: at } = check(joinRequest, message);
      const where: PeerConfig = at;
      return issuer.join({ secret, request: signed, place: where });
    },
  };
}

function report(about: About): PeerReport {
  return { ...about, protocol: protocolVersion, kernel: release(), architecture: arch(), now: Date.now() };
}
