/** Where the engines of other nodes are, by the names of the nodes. */
import type { NodeConfig } from '../lib/config.ts';
import { suggestion } from '../lib/suggest.ts';
import type { GuestAddress } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import type { Peers } from './peers.ts';

/**
 * Where a node's engine is; undefined if it is this node.
 * @throws RefusedError if there is no such node or its mosd is not linked with this one
 */
export async function targetOf(name: string, config: NodeConfig, peers: Peers): Promise<GuestAddress | undefined> {
  if (name === config.name) return undefined;
  const link = peers.find(name);
  if (link === undefined) {
    const known = [config.name, ...peers.all.map(({ peer }) => peer.name)];
    const message = `Cannot find the node "${name}"${suggestion(name, known)} (this node knows ${known.join(', ')})`;
    throw new RefusedError('no-such-node', message);
  }
  await link.tried; // mosd has just started, perhaps
  const { state, why } = link.status();
  if (state !== 'up') throw unreachable(name, why ?? 'it has not answered yet');
  return { name, address: link.peer.address, guestPort: link.peer.guestPort };
}

export function unreachable(name: string, why: string): RefusedError {
  return new RefusedError('node-unreachable', `Cannot reach the node "${name}": ${why}; all nodes: mosps --nodes`);
}
