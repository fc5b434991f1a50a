/** How a machine becomes a node: with a token, over TLS to the cluster that the token is for, and with a key that never leaves it. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

import { messageOf } from '../../lib/errors.ts';
import type { PeerConfig } from '../../lib/places.ts';
import { LineClient } from '../line_client.ts';
import { createKey, createRequest } from './certificates.ts';
import { openCharter, type SignedCharter } from './charter.ts';
import { IdentityError } from './identity_error.ts';
import type { Identity } from './identity_store.ts';
import { assertPinned, judge } from './peer_identity.ts';
import { dial, LinkError } from './secure_link.ts';
import { TokenError, type JoinToken } from './token.ts';

export interface JoinOptions {
  token: JoinToken;
  /** Without an address: the one from which this machine reaches the cluster. */
  place: Omit<PeerConfig, 'address'> & { address?: string };
  /** Milliseconds. */
  timeoutMs: number;
}

/** @throws Error that says why it could not */
export async function joinCluster({
  token,
  place,
  timeoutMs,
}: JoinOptions): Promise<{ identity: Identity; place: PeerConfig }> {
  try {
    const socket = await dial({ address: token.address, port: token.port, purpose: 'join', timeoutMs });
    using client = new LineClient(socket);
    const authority = assertPinned(socket, token.fingerprint, Date.now());
    const where = { ...place, address: place.address ?? addressOf(socket) };
    const key = createKey();
    const request = await createRequest(place.name, key);
    // cast: what does not fit is refused below
    const answer = (await client.request('join', { secret: token.secret, request, place: where }, { timeoutMs })) as {
      certificate: string;
      signed: SignedCharter;
    };
    return { identity: checked({ key, ...answer }, authority, place.name), place: where };
  } catch (error) {
    if (error instanceof LinkError || error instanceof IdentityError || error instanceof TokenError)
      throw new IdentityError('failed', `Cannot join the cluster: ${error.message}`, { cause: error });
    const reason = messageOf(error);
    throw new IdentityError('failed', reason.startsWith('Cannot ') ? reason : `Cannot join the cluster: ${reason}`, {
      cause: error,
    });
  }
}

/** The other side is who the token says; still, nothing that does not fit is to reach the disk. */
function checked({ key, certificate, signed }: Omit<Identity, 'charter'>, authority: string, node: string): Identity {
  const charter = openCharter(signed, [authority]);
  const own = new X509Certificate(certificate);
  const { node: named } = judge(own, charter, Date.now());
  if (named !== node || !own.verify(new X509Certificate(authority).publicKey))
    throw new IdentityError('not-authenticated', 'the certificate that came is not the one that was asked for');
  if (!createPublicKey(createPrivateKey(key)).equals(own.publicKey))
    throw new IdentityError('not-authenticated', 'the certificate that came is of another key');
  return { key, certificate, signed, charter };
}

function addressOf(socket: TLSSocket): string {
  const address = socket.localAddress;
  if (address === undefined) throw new LinkError('it closed the connection');
  return address;
}
