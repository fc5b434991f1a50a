/** Who is at the other end of a Unix socket (SO_PEERCRED, unix(7)): what the kernel says, not what they say. */
import type { Socket } from 'node:net';

import { peerCredentials } from '../sys/descriptors.ts';

export interface Credentials {
  /** As seen here; 0 if the process is not visible in this pid namespace. */
  pid: number;
  uid: number;
  gid: number;
}

/** @throws Error if the connection is gone already */
export function credentialsOf(socket: Socket): Credentials {
  return peerCredentials(descriptorOf(socket));
}

/** Node has no public way to a socket's descriptor; its handle has carried one since the first versions. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) throw new Error('Cannot tell who connected: the connection is gone');
  return fd;
}
