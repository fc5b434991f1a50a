/** Links to other nodes' engines. */
import { Handshake } from '../../wire/handshake.ts';
import type { Peer } from './departure_types.ts';
import { GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';

const connectDeadline = 5000;

/** Who dials. */
export interface Dialer {
  readonly loop: Loop;
  readonly node: string;
  readonly key: Uint8Array;
}

/** A link to a node's engine that has proved the cluster's key. @throws LinkClosed, HandshakeError, DeadlineExceeded */
export async function connectHost({ loop, node, key }: Dialer, peer: Peer): Promise<GuestLink> {
  const link = await GuestLink.connect(loop, peer, connectDeadline);
  try {
    await link.authenticate(new Handshake({ role: 'client', purpose: 'guest', name: node, key }), connectDeadline);
  } catch (error) {
    link.close();
    throw error;
  }
  return link;
}
